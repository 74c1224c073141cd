// What follows a convolution in the same invocation, pixel by pixel: deformable sampling, and steps that
// read what was made before them. All that is constant here says where a value is, so that none is in
// memory.
//
// SPDX-License-Identifier: LGPL-2.1-or-later

layout (set = 0, binding = 7) restrict writeonly buffer AlsoMade
{
  uint also_made[];
};

const int STEP_CONV = 1, STEP_ADD = 2; // 3: attention; 0: there is none
const int MAX_VALUES = 40;

// Quads of pixels, packed.
uint values[MAX_VALUES][MAX_PIXELS];

// An input: its quads, the first of its values, and where they come from: 0, they are there; else 1 more
// than the number of the buffer, and whether it is half as large.
int
input_quads (int from)
{
  return from & 255;
}

int
input_value (int from)
{
  return from >> 8 & 255;
}

int
input_bound (int from)
{
  return (from >> 16 & 15) - 1;
}

bool
input_up (int from)
{
  return (from >> 20 & 1) != 0;
}

// What is read of memory becomes values.
void
fetch (int from, int x0, int y)
{
  const ivec2 size = halves (p.out_size), low = halves (p.low_size);
  const int bound = input_bound (from);

  if (bound < 0)
    return;
  [[unroll]] for (int k = 0; k < input_quads (from); k++) {
    int pixels[MAX_COLUMNS];
    if (input_up (from))
      load_up (bound, k * low.x * low.y, 1, x0, y, pixels);
    else
      [[unroll]] for (int i = 0; i < PIXELS; i++)
        pixels[i] = int (word (bound, (k * size.y + y) * size.x + min (x0 + i, size.x - 1)));
    [[unroll]] for (int i = 0; i < PIXELS; i++)
      values[input_value (from) + k][i] = uint (pixels[i]);
  }
}

void
accumulate (int from, inout uint w, inout ivec4 acc[MAX_PIXELS])
{
  [[unroll]] for (int k = 0; k < input_quads (from); k++, w++) {
    const ivec4 weight = ivec4 (weights[w]);
    [[unroll]] for (int i = 0; i < PIXELS; i++)
      acc[i] += dot4_by_4 (int (values[input_value (from) + k][i]) ^ SIGNS, weight);
  }
}

void
add (int to, int n, int a, int b, uint zeros, uint products)
{
  const ivec4 zero = unpack (zeros);
  const ivec2 mult = halves (products);

  [[unroll]] for (int q = 0; q < n; q++) {
    [[unroll]] for (int i = 0; i < PIXELS; i++) {
      const ivec4 x = (unpack (values[input_value (a) + q][i]) - zero.x) * 64;
      const ivec4 y = (unpack (values[input_value (b) + q][i]) - zero.y) * 64;
      const ivec4 sum = ((x * mult.x + 0x4000) >> 15) + ((y * mult.y + 0x4000) >> 15);
      values[to + q][i] = pack (clamp (zero.z + ((sum + 16) >> 5), 0, zero.w));
    }
  }
}

void
attend (int to, int n, int a, int b, int v, uint table_at, uint zeros, int mult)
{
  const ivec4 zero = unpack (zeros); // the last one is the shift

  [[unroll]] for (int i = 0; i < PIXELS; i++) {
    ivec4 products = ivec4 (0);
    [[unroll]] for (int q = 0; q < input_quads (a); q++)
      products += (unpack (values[input_value (a) + q][i]) - zero.x)
                  * (unpack (values[input_value (b) + q][i]) - zero.y);
    const int sum = products.x + products.y + products.z + products.w;
    const int t = sat16 ((sum + rounding (zero.w)) >> zero.w);
    const int m = look_up (table_at, clamp (mulhrs (t, mult) + 128, 0, 255));
    [[unroll]] for (int q = 0; q < n; q++)
      values[to + q][i] =
        pack (zero.z + (((unpack (values[input_value (v) + q][i]) - zero.z) * m + 128) >> 8));
  }
}

// A step: its kind, the quads that it makes, and the value that is the first of them.
void
run_step (int step, int a, int b, int c, int number, int x0, int y)
{
  const int kind = step & 255, n = step >> 8 & 255, to = step >> 16;
  const int at = FIRST_STEP + 4 * number;

  if (kind == 0)
    return;
  fetch (a, x0, y);
  fetch (b, x0, y);
  fetch (c, x0, y);
  if (kind == STEP_CONV) {
    uint w = p.list[at] + 3 * n;
    [[unroll]] for (int q = 0; q < n; q++) {
      const uint params = p.list[at] + 3 * q;
      ivec4 acc[MAX_PIXELS];
      [[unroll]] for (int i = 0; i < PIXELS; i++)
        acc[i] = ivec4 (weights[params]);
      accumulate (a, w, acc);
      accumulate (b, w, acc);
      accumulate (c, w, acc);
      [[unroll]] for (int i = 0; i < PIXELS; i++)
        values[to + q][i] = pack (limit (requantise (acc[i], params, p.list[at + 1]), p.list[at + 1]));
    }
  } else if (kind == STEP_ADD) {
    add (to, n, a, b, p.list[at], p.list[at + 1]);
  } else {
    attend (to, n, a, b, c, p.list[at], p.list[at + 1], int (p.list[at + 2]));
  }
}

void
store_values (int stored, bool second, int x0, int y)
{
  const ivec2 size = halves (p.out_size);

  [[unroll]] for (int q = 0; q < input_quads (stored); q++) {
    [[unroll]] for (int i = 0; i < PIXELS; i++) {
      const uint at = (q * size.y + y) * size.x + x0 + i;
      if (x0 + i >= size.x)
        break;
      if (second)
        also_made[at] = values[input_value (stored) + q][i];
      else
        made[at] = values[input_value (stored) + q][i];
    }
  }
}
