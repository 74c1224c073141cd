// The dot product of two words of four signed bytes.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef DOT
#extension GL_EXT_spirv_intrinsics : require

// OpSDot of SPV_KHR_integer_dot_product, with DotProduct and DotProductInput4x8BitPacked; the format
// is PackedVectorFormat4x8Bit, 0.
spirv_instruction (extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int sdot (int a, int b, spirv_literal int format);

int
dot4 (int a, int b)
{
  return sdot (a, b, 0);
}
#else
int
dot4 (int a, int b)
{
  return bitfieldExtract (a, 0, 8) * bitfieldExtract (b, 0, 8)
         + bitfieldExtract (a, 8, 8) * bitfieldExtract (b, 8, 8)
         + bitfieldExtract (a, 16, 8) * bitfieldExtract (b, 16, 8) + (a >> 24) * (b >> 24);
}
#endif

ivec4
dot4_by_4 (int a, ivec4 b)
{
  return ivec4 (dot4 (a, b.x), dot4 (a, b.y), dot4 (a, b.z), dot4 (a, b.w));
}
