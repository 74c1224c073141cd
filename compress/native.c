/* What a training step spends long on in PyTorch: modulated deformable
 * sampling, and pixels around a picture. All tensors are float, channels last:
 * (batch, height, width, channels). Compiled and called by native.py.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <math.h>
#include <string.h>

typedef struct {
  int batch, height, width, channels;
  int groups;      /* channels of a group move together */
  int kernel;      /* 1 or 3 */
  int zero_border; /* outside is 0, else the edge pixel */
  float limit;     /* of offsets, in pixels */
} Shape;

/* Along one axis: two pixels, the part of the second, and the derivatives of
 * the coordinate by the offset. Pixels outside have a weight of 0. */
typedef struct {
  int at[2];
  float weight[2], slope[2];
} Axis;

static inline Axis
look_up (float offset, float limit, int base, int size, int zero_border)
{
  float moved = fminf (fmaxf (offset, -limit), limit), slope = offset == moved;
  float there = base + moved, last = size - 1;
  if (!zero_border) {
    if (there <= 0 || there >= last)
      slope = 0;
    there = fminf (fmaxf (there, 0), last);
  }
  int first = (int)floorf (there);
  float part = there - first;
  Axis a = {{first, first + 1}, {1 - part, part}, {-slope, slope}};
  for (int i = 0; i < 2; i++)
    if (a.at[i] < 0 || a.at[i] >= size) {
      a.at[i] = 0;
      a.weight[i] = a.slope[i] = 0;
    }
  return a;
}

/* Where a pixel's tap t, of all groups, is. */
static inline void
look_up_tap (const Shape *s, const float *offsets, int t, int row, int column,
    Axis *y, Axis *x)
{
  int k = s->kernel, taps = k * k * s->groups, tap = t / s->groups;

  *y = look_up (
      offsets[t], s->limit, row + tap / k - k / 2, s->height, s->zero_border);
  *x = look_up (offsets[taps + t], s->limit, column + tap % k - k / 2, s->width,
      s->zero_border);
}

static inline float
sigmoid (float x)
{
  return 1 / (1 + expf (-x));
}

/* out[j] is the sample of channel j of a group, before modulation. */
static inline __attribute__ ((always_inline)) void
sample_group (
    const Shape *s, const float *picture, Axis y, Axis x, int n, float *out)
{
  const float *p[4];
  float w[4];
  for (int i = 0; i < 4; i++) {
    p[i] = picture + ((long)y.at[i / 2] * s->width + x.at[i % 2]) * s->channels;
    w[i] = y.weight[i / 2] * x.weight[i % 2];
  }
  for (int j = 0; j < n; j++)
    out[j] = w[0] * p[0][j] + w[1] * p[1][j] + w[2] * p[2][j] + w[3] * p[3][j];
}

static inline __attribute__ ((always_inline)) void
sample_group_backward (const Shape *s, const float *picture, float *d_picture,
    Axis y, Axis x, int n, const float *grad, float gate, float *d_y,
    float *d_x, float *d_gate)
{
  float dots[4];
  for (int i = 0; i < 4; i++) {
    long at = ((long)y.at[i / 2] * s->width + x.at[i % 2]) * s->channels;
    float w = y.weight[i / 2] * x.weight[i % 2] * gate, dot = 0;
    for (int j = 0; j < n; j++) {
      dot += grad[j] * picture[at + j];
      d_picture[at + j] += w * grad[j];
    }
    dots[i] = dot;
  }
  *d_gate = *d_y = *d_x = 0;
  for (int i = 0; i < 4; i++) {
    *d_gate += y.weight[i / 2] * x.weight[i % 2] * dots[i];
    *d_y += gate * y.slope[i / 2] * x.weight[i % 2] * dots[i];
    *d_x += gate * y.weight[i / 2] * x.slope[i % 2] * dots[i];
  }
}

static inline __attribute__ ((always_inline)) void
forward (const Shape *s, int n, const float *feature, const float *offsets,
    float *out)
{
  int taps = s->kernel * s->kernel * s->groups;
  for (int b = 0; b < s->batch; b++)
    for (int r = 0; r < s->height; r++)
      for (int c = 0; c < s->width; c++) {
        const float *picture =
            feature + (long)b * s->height * s->width * s->channels;
        for (int t = 0; t < taps; t++) {
          int group = t % s->groups;
          Axis y, x;
          look_up_tap (s, offsets, t, r, c, &y, &x);
          float gate = sigmoid (offsets[2 * taps + t]);
          sample_group (s, picture + group * n, y, x, n, out);
          for (int j = 0; j < n; j++)
            out[j] *= gate;
          out += n;
        }
        offsets += 3 * taps;
      }
}

static inline __attribute__ ((always_inline)) void
backward (const Shape *s, int n, const float *feature, const float *offsets,
    const float *grad, float *d_feature, float *d_offsets)
{
  int taps = s->kernel * s->kernel * s->groups;
  for (int b = 0; b < s->batch; b++)
    for (int r = 0; r < s->height; r++)
      for (int c = 0; c < s->width; c++) {
        long picture = (long)b * s->height * s->width * s->channels;
        for (int t = 0; t < taps; t++) {
          int group = t % s->groups;
          Axis y, x;
          look_up_tap (s, offsets, t, r, c, &y, &x);
          float gate = sigmoid (offsets[2 * taps + t]), d_gate;
          sample_group_backward (s, feature + picture + group * n,
              d_feature + picture + group * n, y, x, n, grad, gate,
              &d_offsets[t], &d_offsets[taps + t], &d_gate);
          d_offsets[2 * taps + t] = d_gate * gate * (1 - gate);
          grad += n;
        }
        offsets += 3 * taps;
        d_offsets += 3 * taps;
      }
}

/* Compilers make vector code of groups of four, which dssr's models have. */
void
deform_forward (
    const Shape *s, const float *feature, const float *offsets, float *out)
{
  int n = s->channels / s->groups;
  if (n == 4)
    forward (s, 4, feature, offsets, out);
  else
    forward (s, n, feature, offsets, out);
}

/* d_feature must be zero. */
void
deform_backward (const Shape *s, const float *feature, const float *offsets,
    const float *grad, float *d_feature, float *d_offsets)
{
  int n = s->channels / s->groups;
  if (n == 4)
    backward (s, 4, feature, offsets, grad, d_feature, d_offsets);
  else
    backward (s, n, feature, offsets, grad, d_feature, d_offsets);
}

/* One more pixel on each side, the edge's: out is 2 larger than in. */
void
pad_forward (const Shape *s, const float *in, float *out)
{
  size_t pixel = s->channels, row = s->width * pixel, wide = row + 2 * pixel;
  for (int b = 0; b < s->batch; b++) {
    float *first = out + wide;
    for (int r = 0; r < s->height; r++) {
      float *line = first + r * wide;
      memcpy (line, in, pixel * sizeof *in);
      memcpy (line + pixel, in, row * sizeof *in);
      memcpy (line + pixel + row, in + row - pixel, pixel * sizeof *in);
      in += row;
    }
    memcpy (out, first, wide * sizeof *in);
    memcpy (first + s->height * wide, first + (s->height - 1) * wide,
        wide * sizeof *in);
    out += (s->height + 2) * wide;
  }
}

static void
add_row (const float *grad, float *out, size_t pixel, size_t row)
{
  for (size_t i = 0; i < row; i++)
    out[i] += grad[pixel + i];
  for (size_t i = 0; i < pixel; i++) {
    out[i] += grad[i];
    out[row - pixel + i] += grad[pixel + row + i];
  }
}

/* grad is 2 larger than out. */
void
pad_backward (const Shape *s, const float *grad, float *out)
{
  size_t pixel = s->channels, row = s->width * pixel, wide = row + 2 * pixel;
  for (int b = 0; b < s->batch; b++) {
    for (int r = 0; r < s->height; r++) {
      memcpy (out + r * row, grad + (r + 1) * wide + pixel, row * sizeof *out);
      for (size_t i = 0; i < pixel; i++) {
        out[r * row + i] += grad[(r + 1) * wide + i];
        out[r * row + row - pixel + i] +=
            grad[(r + 1) * wide + pixel + row + i];
      }
    }
    add_row (grad, out, pixel, row);
    add_row (
        grad + (s->height + 1) * wide, out + (s->height - 1) * row, pixel, row);
    out += s->height * row;
    grad += (s->height + 2) * wide;
  }
}
