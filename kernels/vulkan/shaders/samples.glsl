// Reading a plane of a picture, in_a.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
layout (constant_id = 0) const int DEPTH = 8;
layout (constant_id = 1) const int SHIFT = 0;

const int MAX_SAMPLE = (1 << DEPTH) - 1;

// Sample x of the row that begins at in_a[row]; of a pair of planes, x counts those of both.
int
load_sample (uint row, int x)
{
  if (DEPTH == 8)
    return int (bitfieldExtract (in_a[row + (x >> 2)], 8 * (x & 3), 8));
  return min (int (bitfieldExtract (in_a[row + (x >> 1)], 16 * (x & 1), 16)) >> SHIFT, MAX_SAMPLE);
}
