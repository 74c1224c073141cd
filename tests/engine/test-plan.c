/* The plan, beside a slow and simple account of who reads what: every row that
 * is read has been made and is still there, whatever the steps in flight; what
 * is alive at once shares no memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/plan.h"
#include "tests/engine/stream.h"

/* ---- Who reads what ---- */

/* The rows of an input that output row y reads, of a picture without end. */
static void
find_read (const DssrOp *op, int input, int y, int *first, int *last)
{
  *first = *last = y;
  if (op->kind == DSSR_OP_CONV) {
    *first = y * op->conv.stride - (op->conv.kernel == 3 ? 1 : 0);
    *last = y * op->conv.stride + (op->conv.kernel == 3 ? 1 : 0);
  } else if (op->kind == DSSR_OP_POOL) {
    *first = 2 * y - 1;
    *last = 2 * y + 1;
  } else if (op->kind == DSSR_OP_SHUFFLE) {
    *first = *last = y >= 0 ? y / 2 : -((1 - y) / 2);
  } else if (op->kind == DSSR_OP_UP2) {
    gboolean even = y % 2 == 0;
    int nearest = even ? y / 2 : (y - 1) / 2;
    *first = even ? nearest - 1 : nearest;
    *last = even ? nearest : nearest + 1;
  } else if (op->kind == DSSR_OP_DEFORM && input == 0) {
    int border = op->deform.kernel == 3 ? 1 : 0;
    int up = 16 * (y - border) - op->deform.limit;
    int down = 16 * (y + border) + op->deform.limit;
    for (*first = y; 16 * *first > up; --*first)
      ;
    for (*last = y; 16 * *last <= down; ++*last)
      ;
  }
}

static void
check_reach (const DssrOp *op, int input)
{
  DssrReach reach = dssr_reach (op, input);
  for (int y = -9; y < 9; y++) {
    int end = G_MININT, begin = G_MAXINT;
    for (int i = 0; i < 9; i++) {
      int first, last;
      find_read (op, input, y - 1 - i, &first, &last);
      end = MAX (end, last + 1);
      find_read (op, input, y + i, &first, &last);
      begin = MIN (begin, first);
    }
    g_assert_cmpint (dssr_reach_end (&reach, y), ==, end);
    g_assert_cmpint (dssr_reach_begin (&reach, y), ==, begin);
  }
}

static void
test_reach (void)
{
  for (int kernel = 1; kernel <= 3; kernel += 2) {
    for (int stride = 1; stride <= 2; stride++) {
      DssrOp conv = {.kind = DSSR_OP_CONV};
      conv.conv.kernel = kernel;
      conv.conv.stride = stride;
      check_reach (&conv, 0);
      check_reach (&conv, 3);
    }
    for (int limit = 0; limit < 50; limit++) {
      DssrOp deform = {.kind = DSSR_OP_DEFORM};
      deform.deform.kernel = kernel;
      deform.deform.limit = limit;
      check_reach (&deform, 0);
      check_reach (&deform, 1);
    }
  }
  const DssrOpKind others[] = {DSSR_OP_ADD, DSSR_OP_UP2, DSSR_OP_SHUFFLE,
      DSSR_OP_POOL, DSSR_OP_MODULATE, DSSR_OP_ATTENTION, DSSR_OP_HEAD};
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    check_reach (&(DssrOp){.kind = others[i]}, 0);
}

/* ---- By hand ---- */

static const DssrNode *
find_node (const DssrProgram *program, const char *name, int neighbour)
{
  for (int i = 0; i < program->n_nodes; i++) {
    if (g_str_equal (program->nodes[i].op->name, name)
        && program->nodes[i].neighbour == neighbour)
      return &program->nodes[i];
  }
  g_error ("no %s", name);
}

/* The frame stage of x2: x, head 3x3, blocka 3x3, blockb 3x3, block = head +
 * blockb, down2 3x3 /2, down3 1x1 /2. Of 40 rows, in steps of 8. */
static void
test_by_hand (void)
{
  g_autoptr (DssrModel) model = load_model ("x2");
  g_autoptr (DssrPlan) plan = dssr_plan_new (model, 24, 40, 1, 8);
  const DssrProgram *frame = &plan->programs[DSSR_PROGRAM_FRAME];
  g_assert_cmpint (frame->n_nodes, ==, 7);
  g_assert_cmpint (frame->rows, ==, 40);

  /* For no row of block, down2 and down3, x goes 3 ahead; down2's windows are
   * whole from a multiple of 4 rows on. */
  g_assert_cmpint (frame->lead, ==, 4);
  g_assert_cmpint (frame->n_steps, ==, 6);
  const int ends[][7] = {
      {0, 0, 0, 0, 0, 0, 0},
      {7, 6, 5, 4, 4, 2, 1},
      {15, 14, 13, 12, 12, 6, 3},
      {23, 22, 21, 20, 20, 10, 5},
      {31, 30, 29, 28, 28, 14, 7},
      {39, 38, 37, 36, 36, 18, 9},
      {40, 40, 40, 40, 40, 20, 10},
  };
  for (int step = -1; step < 6; step++) {
    int found[7];
    dssr_program_ends (plan, DSSR_PROGRAM_FRAME, step, found);
    for (int i = 0; i < 7; i++)
      g_assert_cmpint (found[i], ==, ends[step + 1][i]);
  }

  static const struct {
    const char *name;
    DssrPlace place;
    int rows, after;
  } nodes[] = {
      {"x", DSSR_PLACE_RING, 16, 1},      /* 8 more, 2 before */
      {"head", DSSR_PLACE_RING, 16, 2},   /* block is 2 behind */
      {"blocka", DSSR_PLACE_RING, 16, 3}, /* blockb is 3x3 */
      {"blockb", DSSR_PLACE_LOCAL, 8, 3}, /* reads blocka's rows */
      {"block", DSSR_PLACE_KEPT, 0, 5},
      {"down2", DSSR_PLACE_KEPT, 0, 6},
      {"down3", DSSR_PLACE_KEPT, 0, 7},
  };
  for (guint i = 0; i < G_N_ELEMENTS (nodes); i++) {
    const DssrNode *node = find_node (frame, nodes[i].name, DSSR_CENTRE);
    g_assert_cmpint (node->place, ==, nodes[i].place);
    g_assert_cmpint (node->tensor.ring, ==, nodes[i].rows);
    g_assert_cmpint (node->after, ==, nodes[i].after);
  }

  /* The features of rows: step 0 has 4 rows at level 0. */
  g_assert_cmpint (dssr_program_find_step (frame, 1), ==, 0);
  g_assert_cmpint (dssr_program_find_step (frame, 4), ==, 0);
  g_assert_cmpint (dssr_program_find_step (frame, 5), ==, 1);
  g_assert_cmpint (dssr_program_find_step (frame, 36), ==, 4);
  g_assert_cmpint (dssr_program_find_step (frame, 40), ==, 5);

  /* Three steps in flight: two times 8 rows more. */
  g_autoptr (DssrPlan) three = dssr_plan_new (model, 24, 40, 3, 8);
  frame = &three->programs[DSSR_PROGRAM_FRAME];
  g_assert_cmpint (find_node (frame, "x", DSSR_CENTRE)->tensor.ring, ==, 32);
  g_assert_cmpint (
      find_node (frame, "blockb", DSSR_CENTRE)->tensor.ring, ==, 8);
  /* A ring as long as the picture is none. */
  g_autoptr (DssrPlan) many = dssr_plan_new (model, 24, 40, 5, 8);
  frame = &many->programs[DSSR_PROGRAM_FRAME];
  g_assert_cmpint (find_node (frame, "x", DSSR_CENTRE)->tensor.ring, ==, 0);
}

/* ---- All rows ---- */

typedef struct {
  const DssrPlan *plan;
  DssrProgramKind kind;
  int **ends; /* of each step, from -1 on */
} Run;

static int
ends_of (const Run *run, int step, int node)
{
  return run->ends[MAX (step, -1) + 1][node];
}

/* Rows from `first` to `last` of a node are read in step `reader`, made by then
 * and still there: any step up to the one that is `threads` - 1 later may have
 * written its own. */
static void
check_rows (const Run *run, const DssrNode *node, int index, int reader,
    int first, int last)
{
  const DssrProgram *program = &run->plan->programs[run->kind];
  g_assert_cmpint (last, <, ends_of (run, reader, index));
  if (node->place == DSSR_PLACE_LOCAL) {
    g_assert_cmpint (first, >=, ends_of (run, reader - 1, index));
    g_assert_cmpint (ends_of (run, reader, index), <=,
        first + (node->tensor.ring ? node->tensor.ring : G_MAXINT / 2));
  } else if (node->tensor.ring) {
    int writer = MIN (reader + run->plan->threads - 1, program->n_steps - 1);
    g_assert_cmpint (
        first, >=, ends_of (run, writer, index) - node->tensor.ring);
  }
}

static void
check_input (const Run *run, int step, int reader, int input, int *features)
{
  const DssrNode *nodes = run->plan->programs[run->kind].nodes;
  const DssrNode *frame = run->plan->programs[DSSR_PROGRAM_FRAME].nodes;
  const DssrNode *node = &nodes[reader];
  const DssrSource *source = &node->sources[input];
  const DssrNode *from =
      source->frame == DSSR_OWN ? &nodes[source->node] : &frame[source->node];
  for (int y = ends_of (run, step - 1, reader); y < ends_of (run, step, reader);
       y++) {
    int first, last;
    find_read (node->op, input, y, &first, &last);
    first = CLAMP (first, 0, from->tensor.height - 1);
    last = CLAMP (last, 0, from->tensor.height - 1);
    if (source->frame == DSSR_OWN)
      check_rows (run, from, source->node, step, first, last);
    else
      *features = MAX (*features, last * (1 << from->op->level) + 1);
  }
  if (source->frame == DSSR_OWN && from->place != DSSR_PLACE_LOCAL) {
    g_assert_true (from->shared);
    g_assert_cmpint (node->after, >, source->node);
  }
  if (source->frame != DSSR_OWN)
    g_assert_cmpint (from->place, ==, DSSR_PLACE_KEPT);
}

static void
check_step (const Run *run, int step, int features)
{
  const DssrProgram *frame = &run->plan->programs[DSSR_PROGRAM_FRAME];
  const DssrProgram *program = &run->plan->programs[run->kind];
  int read = 0;

  for (int i = 0; i < program->n_nodes; i++) {
    const DssrNode *node = &program->nodes[i];
    int begin = ends_of (run, step - 1, i), end = ends_of (run, step, i);
    g_assert_cmpint (begin, <=, end);
    if (node->place != DSSR_PLACE_NONE && node->tensor.ring)
      g_assert_cmpint (end - begin, <=, node->tensor.ring);
    if (!node->needed)
      g_assert_cmpint (end, ==, 0);
    for (int j = 0; node->needed && j < node->op->n_inputs; j++)
      check_input (run, step, i, j, &read);
  }
  if (read == 0)
    return;
  /* The frame stage is far enough, and no farther than needed. */
  g_assert_cmpint (read, <=, features);
  int last = dssr_program_find_step (frame, features);
  g_assert_cmpint (
      MIN ((last + 1) * frame->step_rows - frame->lead, frame->rows), >=,
      features);
  if (last > 0)
    g_assert_cmpint (last * frame->step_rows - frame->lead, <, features);
}

/* ---- Memory ---- */

static int
find_last_reader (const DssrProgram *program, int index)
{
  int last = index;
  for (int i = 0; i < program->n_nodes; i++) {
    for (int j = 0;
         program->nodes[i].needed && j < program->nodes[i].op->n_inputs; j++) {
      const DssrSource *source = &program->nodes[i].sources[j];
      if (source->frame == DSSR_OWN && source->node == index)
        last = MAX (last, i);
    }
  }
  return last;
}

static void
find_bytes (const DssrNode *node, guint64 *begin, guint64 *end)
{
  const DssrTensor *tensor = &node->tensor;
  int pixel = node->op->wide ? 8 : 4;
  int rows = tensor->ring ? tensor->ring : tensor->height;
  g_assert_true ((rows & (rows - 1)) == 0 || tensor->ring == 0);
  g_assert_cmpint (tensor->stride % DSSR_ALIGNMENT, ==, 0);
  g_assert_cmpint (tensor->stride, >=,
      (DSSR_MARGIN_LEFT + tensor->width + DSSR_MARGIN_RIGHT) * pixel);
  g_assert_cmpint (tensor->plane, >=, tensor->stride * rows);
  *begin = node->offset - (guint64)(DSSR_MARGIN_LEFT * pixel);
  *end = *begin + (guint64)tensor->plane * (guint64)tensor->quads;
  g_assert_cmpuint (*begin % DSSR_ALIGNMENT, ==, 0);
}

/* Whether two operations' outputs may be alive at once in one memory. */
static gboolean
may_meet (const DssrProgram *a, int i, const DssrProgram *b, int j)
{
  const DssrNode *x = &a->nodes[i], *y = &b->nodes[j];
  gboolean x_kept = x->place == DSSR_PLACE_KEPT;
  gboolean x_local = x->place == DSSR_PLACE_LOCAL;
  if (x->place == DSSR_PLACE_NONE || y->place == DSSR_PLACE_NONE
      || x_kept != (y->place == DSSR_PLACE_KEPT)
      || x_local != (y->place == DSSR_PLACE_LOCAL))
    return FALSE;
  if (!x_local)
    return TRUE;
  return a == b && find_last_reader (a, i) >= j && find_last_reader (b, j) >= i;
}

static void
check_memory (const DssrPlan *plan)
{
  for (int k = 0; k < DSSR_N_PROGRAMS; k++) {
    const DssrProgram *a = &plan->programs[k];
    for (int i = 0; i < a->n_nodes; i++) {
      const DssrNode *node = &a->nodes[i];
      if (node->place == DSSR_PLACE_NONE)
        continue;
      guint64 begin, end, other_begin, other_end;
      find_bytes (node, &begin, &end);
      g_assert_cmpuint (end, <=,
          node->place == DSSR_PLACE_KEPT    ? plan->kept
          : node->place == DSSR_PLACE_LOCAL ? plan->local
                                            : plan->shared);
      for (int l = 0; l < DSSR_N_PROGRAMS; l++) {
        const DssrProgram *b = &plan->programs[l];
        for (int j = 0; j < b->n_nodes; j++) {
          if ((k == l && i == j) || !may_meet (a, i, b, j))
            continue;
          find_bytes (&b->nodes[j], &other_begin, &other_end);
          g_assert_true (end <= other_begin || other_end <= begin);
        }
      }
    }
  }
}

/* ---- All models, sizes and shapes of steps ---- */

static void
check_program (const DssrPlan *plan, DssrProgramKind kind)
{
  const DssrProgram *program = &plan->programs[kind];
  int n = program->n_steps;
  g_autofree int *memory = g_new (int, (n + 1) * program->n_nodes);
  g_autofree int **ends = g_new (int *, n + 1);
  g_autofree int *features = g_new (int, n + 1);
  for (int i = 0; i <= n; i++) {
    ends[i] = memory + i * program->n_nodes;
    features[i] = dssr_program_ends (plan, kind, i - 1, ends[i]);
  }
  const Run run = {plan, kind, ends};
  int first = 0; /* rows of the first step */
  for (int i = 0; i < program->n_nodes; i++)
    first += ends[1][i];
  if (program->step_rows == 1)
    g_assert_cmpint (first, >, 0);
  for (int step = 0; step < n; step++)
    check_step (&run, step, features[step + 1]);
  for (int i = 0; i < program->n_nodes; i++) {
    if (program->nodes[i].sink)
      g_assert_cmpint (
          ends_of (&run, n - 1, i), ==, program->nodes[i].tensor.height);
    if (program->nodes[i].shared)
      g_assert_cmpint (program->nodes[i].after, ==, i + 1);
  }
}

static void
test_rows (gconstpointer name)
{
  const int sizes[][2] = {
      {1, 1}, {2, 3}, {5, 4}, {16, 7}, {37, 29}, {9, 200}, {300, 64}};
  const int threads[] = {1, 2, 3, 8, 64};
  const int step_rows[] = {0, 1, 2, 3, 4, 7, 8, 16, 29, 1000};
  g_autoptr (DssrModel) model = load_model (name);

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (guint t = 0; t < G_N_ELEMENTS (threads); t++) {
      for (guint s = 0; s < G_N_ELEMENTS (step_rows); s++) {
        g_autoptr (DssrPlan) plan = dssr_plan_new (
            model, sizes[i][0], sizes[i][1], threads[t], step_rows[s]);
        for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++)
          check_program (plan, kind);
        check_memory (plan);
      }
    }
  }
}

/* ---- Sizes ---- */

/* Memory grows with the rows of a step and not with the picture's height,
 * except for what is kept; and only by the rings with the threads. */
static void
test_memory (void)
{
  g_autoptr (DssrModel) model = load_model ("x4");
  g_autoptr (DssrPlan) plan = dssr_plan_new (model, 480, 270, 2, 8);
  g_autoptr (DssrPlan) tall = dssr_plan_new (model, 480, 540, 2, 8);
  g_autoptr (DssrPlan) more = dssr_plan_new (model, 480, 540, 4, 8);
  g_assert_cmpuint (plan->shared, ==, tall->shared);
  g_assert_cmpuint (plan->local, ==, tall->local);
  g_assert_cmpuint (plan->kept, <, tall->kept);
  g_assert_cmpuint (tall->kept, <=, 2 * plan->kept);
  g_assert_cmpuint (more->shared, >, tall->shared);
  g_assert_cmpuint (more->shared, <=, 2 * tall->shared);
  g_assert_cmpuint (more->local, ==, tall->local);
}

/* Steps are as high as the cache allows: lower in a wider picture. */
static void
test_steps (void)
{
  g_autoptr (DssrModel) model = load_model ("x4");
  int before = G_MAXINT;
  for (int width = 64; width <= 2048; width *= 2) {
    g_autoptr (DssrPlan) plan = dssr_plan_new (model, width, 1000, 1, 0);
    int rows = plan->programs[DSSR_PROGRAM_ENLARGE].step_rows;
    g_assert_cmpint (rows % 4, ==, 0);
    g_assert_cmpint (rows, <=, before);
    before = rows;
  }
  g_assert_cmpint (before, ==, 4);
  /* And low enough that all threads have some. */
  g_autoptr (DssrPlan) plan = dssr_plan_new (model, 64, 256, 16, 0);
  g_assert_cmpint (plan->programs[DSSR_PROGRAM_ENLARGE].n_steps, >=, 4 * 16);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plan/reach", test_reach);
  g_test_add_func ("/plan/by-hand", test_by_hand);
  const char *const models[] = {"x2", "x4", "x2-window1", "x2-window5",
      "x2-sparse4", "x2-unshuffle", "x2-cascade", "x2-follow", "x2-follow5",
      "x2-rgb", "x4-rgb"};
  for (guint i = 0; i < G_N_ELEMENTS (models); i++) {
    g_autofree char *name = g_strconcat ("/plan/rows/", models[i], NULL);
    g_test_add_data_func (name, models[i], test_rows);
  }
  g_test_add_func ("/plan/memory", test_memory);
  g_test_add_func ("/plan/steps", test_steps);
  return g_test_run ();
}
