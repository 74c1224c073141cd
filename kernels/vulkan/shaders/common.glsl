// What the shaders share: the buffers and the contract's arithmetic.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_EXT_control_flow_attributes : require

// What an operation makes and what it reads, each where it begins. A feature map is planes of width *
// height pixels without margins; a pixel of a quad is one word, its first channel in the lowest byte,
// and a wide one two. A plane of a picture is rows of whole words.
#ifndef MADE_ACCESS
#define MADE_ACCESS restrict writeonly
#endif
layout (set = 0, binding = 0) MADE_ACCESS buffer Made
{
  uint made[];
};
layout (set = 0, binding = 1) restrict readonly buffer A
{
  uint in_a[];
};
layout (set = 0, binding = 2) restrict readonly buffer B
{
  uint in_b[];
};
layout (set = 0, binding = 3) restrict readonly buffer C
{
  uint in_c[];
};
layout (set = 0, binding = 4) restrict readonly buffer D
{
  uint in_d[];
};
layout (set = 0, binding = 5) restrict readonly buffer E
{
  uint in_e[];
};
// Of all operations.
layout (set = 0, binding = 6) restrict readonly buffer Weights
{
  uvec4 weights[];
};

// Two numbers of 16 bits in a word.
ivec2
halves (uint word)
{
  return ivec2 (word & 0xffffu, word >> 16);
}

// The contract's round.
int
rounding (int shift)
{
  return (1 << shift) >> 1;
}

int
mulhrs (int a, int b)
{
  return (a * b + 0x4000) >> 15;
}

int
sat16 (int x)
{
  return clamp (x, -32768, 32767);
}

ivec4
unpack (uint pixel)
{
  return ivec4 (pixel & 255u, pixel >> 8 & 255u, pixel >> 16 & 255u, pixel >> 24);
}

uint
pack (ivec4 lanes)
{
  const uvec4 u = uvec4 (lanes);
  return u.x | u.y << 8 | u.z << 16 | u.w << 24;
}

uvec2
pack_wide (ivec4 lanes)
{
  const uvec4 u = uvec4 (lanes) & 0xffffu;
  return uvec2 (u.x | u.y << 16, u.z | u.w << 16);
}

// Entry 0 to 255 of a table of bytes that begins at weights[at].
int
look_up (uint at, int entry)
{
  const uint word = weights[at + uint (entry >> 4)][entry >> 2 & 3];
  return int (bitfieldExtract (word, 8 * (entry & 3), 8));
}
