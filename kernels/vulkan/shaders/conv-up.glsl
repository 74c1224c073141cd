// An input that is half as large, read as up2 would make it.
//
// SPDX-License-Identifier: LGPL-2.1-or-later

// Row y from `at` on, in the columns from x0, which is even, less side / 2 on. Two lanes are in a word of
// 16 bits each.
void
load_up (int bound, uint at, int side, int x0, int y, out int pixels[MAX_COLUMNS])
{
  const int width = halves (p.out_size).x;
  const ivec2 low = halves (p.low_size);
  const int near = y >> 1, far = clamp (near + 2 * (y & 1) - 1, 0, low.y - 1);
  uvec2 mixed[MAX_PIXELS / 2 + 2];

  [[unroll]] for (int l = 0; l < PIXELS / 2 + 2; l++) {
    const uint column = at + clamp (x0 / 2 - 1 + l, 0, low.x - 1);
    const uint n = word (bound, column + near * low.x), f = word (bound, column + far * low.x);
    mixed[l] = 3 * (uvec2 (n, n >> 8) & 0x00ff00ffu) + (uvec2 (f, f >> 8) & 0x00ff00ffu);
  }
  [[unroll]] for (int c = 0; c < PIXELS + side - 1; c++) {
    const int x = c - side / 2, l = (x >> 1) + 1;
    const uvec2 lanes = (3 * mixed[l] + mixed[l + 2 * (x & 1) - 1] + 0x00080008u) >> 4 & 0x00ff00ffu;
    pixels[c] = int (lanes.x | lanes.y << 8);
    // An odd width leaves out the last one.
    if (c > 0 && x0 + x >= width)
      pixels[c] = pixels[c - 1];
  }
}
