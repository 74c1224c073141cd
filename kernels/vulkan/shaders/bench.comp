#version 460
// What a device reaches when it does nothing else: copies, and dot products of registers; and noise
// to work on.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "dot.glsl"

layout (local_size_x = 8, local_size_y = 8) in;
layout (constant_id = 0) const int WORK = 0;
const int NOISE = 0, COPY = 1, MULTIPLY = 2;

layout (set = 0, binding = 0) restrict writeonly buffer Made
{
  uvec4 made[];
};
layout (set = 0, binding = 1) restrict readonly buffer A
{
  uvec4 in_a[];
};

layout (push_constant) uniform Push
{
  uint n; // vectors
  uint rounds;
} p;

uint
scramble (uint x)
{
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

// Each product's operand is a sum of the round before: none can be left out.
uvec4
multiply (uint i)
{
  const int SUMS = 16, other = int (scramble (i));
  int sums[SUMS];
  [[unroll]] for (int s = 0; s < SUMS; s++)
    sums[s] = other + s;
  for (uint r = 0; r < p.rounds; r++)
    [[unroll]] for (int s = 0; s < SUMS; s++)
      sums[s] += dot4 (sums[(s + 8) % SUMS], other);
  uvec4 all = uvec4 (0);
  [[unroll]] for (int s = 0; s < SUMS; s++)
    all[s & 3] ^= uint (sums[s]);
  return all;
}

void
main ()
{
  // A workgroup's vectors lie side by side.
  const uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
  const uint i = 64 * group + gl_LocalInvocationIndex;
  if (i >= p.n)
    return;

  if (WORK == NOISE)
    made[i] = uvec4 (scramble (4 * i), scramble (4 * i + 1), scramble (4 * i + 2), scramble (4 * i + 3));
  else if (WORK == COPY)
    made[i] = in_a[i];
  else
    made[i] = multiply (i);
}
