/* The sub-models of a session: loaded in a thread of their own, and kept.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "submodels.h"

/* Two scenes, each in two rungs. */
#define MAX_KEPT 4

typedef struct {
  gchar *path;
  DssrModel *model;
  DssrPrepared *prepared;
  GError *error; /* it cannot be used */
} SubModel;

struct _GstDssrSubModels {
  DssrSession *session;
  GThread *thread; /* NULL until one is to be loaded */

  /* Under the lock. `changed` tells the thread so. */
  GMutex lock;
  GCond changed;
  gboolean stop;
  gchar *wanted, *loading; /* paths, or NULL */
  GQueue kept;             /* those asked for last are first */
};

static void
sub_model_free (SubModel *sub_model)
{
  g_clear_pointer (&sub_model->prepared, dssr_prepared_unref);
  g_clear_pointer (&sub_model->model, dssr_model_unref);
  g_clear_error (&sub_model->error);
  g_free (sub_model->path);
  g_free (sub_model);
}

GstDssrSubModels *
gst_dssr_sub_models_new (DssrSession *session)
{
  GstDssrSubModels *models = g_new0 (GstDssrSubModels, 1);
  models->session = session;
  g_mutex_init (&models->lock);
  g_cond_init (&models->changed);
  return models;
}

void
gst_dssr_sub_models_free (GstDssrSubModels *models)
{
  g_mutex_lock (&models->lock);
  models->stop = TRUE;
  g_cond_signal (&models->changed);
  g_mutex_unlock (&models->lock);
  g_clear_pointer (&models->thread, g_thread_join);
  g_queue_clear_full (&models->kept, (GDestroyNotify)sub_model_free);
  g_free (models->wanted);
  g_cond_clear (&models->changed);
  g_mutex_clear (&models->lock);
  g_free (models);
}

static SubModel *
load (DssrSession *session, const gchar *path)
{
  SubModel *sub_model = g_new0 (SubModel, 1);

  sub_model->path = g_strdup (path);
  sub_model->model = dssr_model_open (path, &sub_model->error);
  if (sub_model->model)
    sub_model->prepared = dssr_session_prepare_model (
        session, sub_model->model, &sub_model->error);
  return sub_model;
}

/* Keeps what was loaded; returns what that leaves no room for, or NULL. The
 * lock is held. */
static SubModel *
keep (GstDssrSubModels *models, SubModel *sub_model)
{
  /* That it failed interests nobody once something else is wanted. */
  if (sub_model->error && models->wanted)
    return sub_model;
  g_queue_push_head (&models->kept, sub_model);
  return models->kept.length > MAX_KEPT ? g_queue_pop_tail (&models->kept)
                                        : NULL;
}

static gpointer
load_wanted (gpointer data)
{
  GstDssrSubModels *models = data;

  g_mutex_lock (&models->lock);
  for (;;) {
    while (!models->wanted && !models->stop)
      g_cond_wait (&models->changed, &models->lock);
    if (models->stop)
      break;
    models->loading = g_steal_pointer (&models->wanted);
    g_mutex_unlock (&models->lock);
    SubModel *sub_model = load (models->session, models->loading);
    g_mutex_lock (&models->lock);
    g_clear_pointer (&models->loading, g_free);
    SubModel *left = keep (models, sub_model);
    g_mutex_unlock (&models->lock);
    g_clear_pointer (&left, sub_model_free);
    g_mutex_lock (&models->lock);
  }
  g_mutex_unlock (&models->lock);
  return NULL;
}

/* The lock is held. */
static SubModel *
find (GstDssrSubModels *models, const gchar *path)
{
  for (GList *l = models->kept.head; l; l = l->next) {
    SubModel *sub_model = l->data;
    if (g_str_equal (sub_model->path, path)) {
      g_queue_unlink (&models->kept, l);
      g_queue_push_head_link (&models->kept, l);
      return sub_model;
    }
  }
  return NULL;
}

/* The lock is held. */
static void
request (GstDssrSubModels *models, const gchar *path)
{
  g_clear_pointer (&models->wanted, g_free);
  if (g_strcmp0 (models->loading, path) == 0)
    return;
  models->wanted = g_strdup (path);
  if (!models->thread)
    models->thread = g_thread_new ("dssr-models", load_wanted, models);
  g_cond_signal (&models->changed);
}

DssrPrepared *
gst_dssr_sub_models_get (GstDssrSubModels *models, const gchar *path,
    DssrModel **model, GError **error)
{
  DssrPrepared *prepared = NULL;

  g_mutex_lock (&models->lock);
  SubModel *sub_model = find (models, path);
  if (!sub_model) {
    request (models, path);
  } else if (sub_model->error) {
    g_propagate_error (error, g_steal_pointer (&sub_model->error));
    sub_model_free (g_queue_pop_head (&models->kept));
  } else {
    prepared = dssr_prepared_ref (sub_model->prepared);
    *model = dssr_model_ref (sub_model->model);
  }
  g_mutex_unlock (&models->lock);
  return prepared;
}
