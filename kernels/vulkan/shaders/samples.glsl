// Reading a plane of a picture.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
layout (constant_id = 0) const int DEPTH = 8;
layout (constant_id = 1) const int SHIFT = 0;

const int MAX_SAMPLE = (1 << DEPTH) - 1;

// The word of a row that has sample x; of a pair of planes, x counts those of both.
uint
word_of_sample (int x)
{
  return uint (DEPTH == 8 ? x >> 2 : x >> 1);
}

// Sample x out of that word.
int
extract_sample (uint word, int x)
{
  if (DEPTH == 8)
    return int (bitfieldExtract (word, 8 * (x & 3), 8));
  return min (int (bitfieldExtract (word, 16 * (x & 1), 16)) >> SHIFT, MAX_SAMPLE);
}

// Sample x of the row that begins at in_a[row].
int
load_sample (uint row, int x)
{
  return extract_sample (in_a[row + word_of_sample (x)], x);
}
