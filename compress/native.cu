/* native.c for a GPU: modulated deformable sampling, and pixels around a
 * picture. All tensors are float, channels last. Compiled by
 * cuda.py.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

struct Shape {
  int count; /* of threads */
  int height, width, channels, groups, kernel, zero_border;
  float limit;
};

/* A kernel's last arguments. */
#define SHAPE                                                                  \
  int count, int height, int width, int channels, int groups, int kernel,      \
      int zero_border, float limit
#define SHAPE_OF_ARGUMENTS                                                     \
  {                                                                            \
    count, height, width, channels, groups, kernel, zero_border, limit         \
  }

struct Axis {
  int at[2];
  float weight[2], slope[2];
};

__device__ inline Axis
look_up (const Shape &s, float offset, int base, int size)
{
  float moved = fminf (fmaxf (offset, -s.limit), s.limit);
  float slope = offset == moved, there = base + moved, last = size - 1;
  if (!s.zero_border) {
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

/* What a thread does: one pixel's tap, of one group. */
struct Place {
  int pixel, tap, taps, per_group;
  Axis y, x;
  float gate;
  int at[4];
};

__device__ inline Place
place (const Shape &s, int thread, const float *offsets)
{
  Place p;
  p.taps = s.kernel * s.kernel * s.groups;
  p.per_group = s.channels / s.groups;
  p.pixel = thread / p.taps;
  p.tap = thread % p.taps;
  int tap = p.tap / s.groups, group = p.tap % s.groups;
  int line = p.pixel / s.width, column = p.pixel % s.width;
  int picture = line / s.height, row = line % s.height;
  offsets += (long long)p.pixel * 3 * p.taps + p.tap;
  p.y = look_up (s, offsets[0], row + tap / s.kernel - s.kernel / 2, s.height);
  p.x = look_up (
      s, offsets[p.taps], column + tap % s.kernel - s.kernel / 2, s.width);
  p.gate = 1 / (1 + expf (-offsets[2 * p.taps]));
  for (int i = 0; i < 4; i++)
    p.at[i] = ((picture * s.height + p.y.at[i / 2]) * s.width + p.x.at[i % 2])
                  * s.channels
              + group * p.per_group;
  return p;
}

extern "C" __global__ void
deform_forward (const float *feature, const float *offsets, float *out, SHAPE)
{
  Shape s = SHAPE_OF_ARGUMENTS;
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= s.count)
    return;
  Place p = place (s, thread, offsets);
  float w[4];
  for (int i = 0; i < 4; i++)
    w[i] = p.y.weight[i / 2] * p.x.weight[i % 2] * p.gate;
  out += (long long)thread * p.per_group;
  for (int j = 0; j < p.per_group; j++)
    out[j] = w[0] * feature[p.at[0] + j] + w[1] * feature[p.at[1] + j]
             + w[2] * feature[p.at[2] + j] + w[3] * feature[p.at[3] + j];
}

/* d_feature must be zero. */
extern "C" __global__ void
deform_backward (const float *feature, const float *offsets, const float *grad,
    float *d_feature, float *d_offsets, SHAPE)
{
  Shape s = SHAPE_OF_ARGUMENTS;
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= s.count)
    return;
  Place p = place (s, thread, offsets);
  grad += (long long)thread * p.per_group;
  float d_gate = 0, d_y = 0, d_x = 0;
  for (int i = 0; i < 4; i++) {
    float y = p.y.weight[i / 2], x = p.x.weight[i % 2], w = y * x * p.gate;
    float dot = 0;
    for (int j = 0; j < p.per_group; j++) {
      dot += grad[j] * feature[p.at[i] + j];
      if (w != 0)
        atomicAdd (&d_feature[p.at[i] + j], w * grad[j]);
    }
    d_gate += y * x * dot;
    d_y += p.gate * p.y.slope[i / 2] * x * dot;
    d_x += p.gate * y * p.x.slope[i % 2] * dot;
  }
  d_offsets += (long long)p.pixel * 3 * p.taps + p.tap;
  d_offsets[0] = d_y;
  d_offsets[p.taps] = d_x;
  d_offsets[2 * p.taps] = d_gate * p.gate * (1 - p.gate);
}

/* One more pixel on each side, the edge's; as many threads as `out` has values.
 */
extern "C" __global__ void
pad_forward (const float *in, float *out, SHAPE)
{
  Shape s = SHAPE_OF_ARGUMENTS;
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= s.count)
    return;
  int channel = thread % s.channels;
  int pixel = thread / s.channels, line = pixel / (s.width + 2);
  int column = pixel % (s.width + 2) - 1, row = line % (s.height + 2) - 1;
  row = min (max (row, 0), s.height - 1);
  column = min (max (column, 0), s.width - 1);
  out[thread] =
      in[(((line / (s.height + 2)) * s.height + row) * s.width + column)
              * s.channels
          + channel];
}

/* grad is 2 larger than out; as many threads as `out` has values. */
extern "C" __global__ void
pad_backward (const float *grad, float *out, SHAPE)
{
  Shape s = SHAPE_OF_ARGUMENTS;
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= s.count)
    return;
  int channel = thread % s.channels;
  int pixel = thread / s.channels, line = pixel / s.width;
  int column = pixel % s.width, row = line % s.height;
  int top = row ? row + 1 : 0,
      bottom = row < s.height - 1 ? row + 1 : s.height + 1;
  int left = column ? column + 1 : 0;
  int right = column < s.width - 1 ? column + 1 : s.width + 1;
  float sum = 0;
  for (int y = top; y <= bottom; y++)
    for (int x = left; x <= right; x++)
      sum += grad[(((line / s.height) * (s.height + 2) + y) * (s.width + 2) + x)
                      * s.channels
                  + channel];
  out[thread] = sum;
}
