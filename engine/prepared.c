/* Models that are ready for a session.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/picture.h"
#include "engine/session.h"

static gboolean
check_model (const DssrSession *session, const DssrModel *model, GError **error)
{
  if (model->scale != session->scale) {
    g_set_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
        "The model enlarges %d times, the session %d times", model->scale,
        session->scale);
    return FALSE;
  }
  /* A model of luma, or one of RGB, for pictures that are such. */
  if (dssr_model_is_rgb (model) == (session->format.chroma == DSSR_CHROMA_RGB))
    return TRUE;
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
      dssr_model_is_rgb (model)
          ? "The model is for RGB, the picture has luma and chroma"
          : "The model is for luma, the picture is RGB");
  return FALSE;
}

gboolean
dssr_prepared_complete (DssrPrepared *prepared, int slots, GError **error)
{
  DssrSession *session = prepared->session;

  if (session->gpu && prepared->gpu_slots < slots) {
    DssrGpuNetwork *network = dssr_gpu_prepare (
        session->gpu, prepared->model, &session->format, slots, error);
    if (!network)
      return FALSE;
    g_clear_pointer (&prepared->gpu_network, dssr_gpu_network_free);
    prepared->gpu_network = network;
    prepared->gpu_slots = slots;
  } else if (!session->gpu && !prepared->network) {
    if (!session->pool)
      session->pool = dssr_pool_new (session->threads);
    prepared->network = dssr_network_new (prepared->model, &session->format,
        session->kernels, session->pool, session->band_rows);
  }
  return TRUE;
}

DssrPrepared *
dssr_session_prepare_model (
    DssrSession *session, DssrModel *model, GError **error)
{
  g_return_val_if_fail (session != NULL && model != NULL, NULL);

  if (!check_model (session, model, error))
    return NULL;
  DssrPrepared *prepared = g_new0 (DssrPrepared, 1);
  g_atomic_ref_count_init (&prepared->ref_count);
  prepared->session = session;
  prepared->model = dssr_model_ref (model);

  int past = model->window / 2;
  pthread_mutex_lock (&session->building);
  gboolean ok = dssr_prepared_complete (prepared,
      past + MIN (session->lookahead, past) + session->ahead + 1, error);
  /* Before the GPU can go. */
  if (ok) {
    pthread_mutex_lock (&session->lock);
    g_ptr_array_add (session->prepared, prepared);
    pthread_mutex_unlock (&session->lock);
  }
  pthread_mutex_unlock (&session->building);
  if (ok)
    return prepared;
  dssr_model_unref (prepared->model);
  g_free (prepared);
  return NULL;
}

DssrPrepared *
dssr_prepared_ref (DssrPrepared *prepared)
{
  g_atomic_ref_count_inc (&prepared->ref_count);
  return prepared;
}

void
dssr_prepared_unref (DssrPrepared *prepared)
{
  if (!g_atomic_ref_count_dec (&prepared->ref_count))
    return;
  DssrSession *session = prepared->session;
  pthread_mutex_lock (&session->lock);
  g_ptr_array_remove_fast (session->prepared, prepared);
  g_clear_pointer (&prepared->gpu_network, dssr_gpu_network_free);
  pthread_mutex_unlock (&session->lock);
  g_clear_pointer (&prepared->network, dssr_network_free);
  dssr_model_unref (prepared->model);
  g_free (prepared);
}

void
dssr_prepared_leave_gpu (DssrSession *session)
{
  pthread_mutex_lock (&session->lock);
  for (guint i = 0; i < session->prepared->len; i++) {
    DssrPrepared *prepared = g_ptr_array_index (session->prepared, i);
    g_clear_pointer (&prepared->gpu_network, dssr_gpu_network_free);
    prepared->gpu_slots = 0;
  }
  pthread_mutex_unlock (&session->lock);
}

gsize
dssr_prepared_get_size (const DssrSession *session)
{
  pthread_mutex_t *lock = (pthread_mutex_t *)&session->lock;
  gsize size = 0;
  pthread_mutex_lock (lock);
  for (guint i = 0; i < session->prepared->len; i++) {
    const DssrPrepared *prepared = g_ptr_array_index (session->prepared, i);
    if (prepared->network)
      size += prepared->network->weights_size;
  }
  pthread_mutex_unlock (lock);
  return size;
}
