// Which weights of a sparse convolution are not zero: a bit for each, in the order in which
// conv-input.glsl goes through them. All is known when the pipeline is compiled.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
layout (constant_id = 46) const uint MASK_0 = ~0u;
layout (constant_id = 47) const uint MASK_1 = ~0u;
layout (constant_id = 48) const uint MASK_2 = ~0u;
layout (constant_id = 49) const uint MASK_3 = ~0u;
layout (constant_id = 50) const uint MASK_4 = ~0u;
layout (constant_id = 51) const uint MASK_5 = ~0u;
layout (constant_id = 52) const uint MASK_6 = ~0u;
layout (constant_id = 53) const uint MASK_7 = ~0u;
layout (constant_id = 54) const uint MASK_8 = ~0u;
layout (constant_id = 55) const uint MASK_9 = ~0u;
layout (constant_id = 56) const uint MASK_10 = ~0u;
layout (constant_id = 57) const uint MASK_11 = ~0u;
layout (constant_id = 58) const uint MASK_12 = ~0u;
layout (constant_id = 59) const uint MASK_13 = ~0u;
layout (constant_id = 60) const uint MASK_14 = ~0u;
layout (constant_id = 61) const uint MASK_15 = ~0u;
layout (constant_id = 62) const uint MASK_16 = ~0u;
layout (constant_id = 63) const uint MASK_17 = ~0u;
layout (constant_id = 64) const uint MASK_18 = ~0u;
layout (constant_id = 65) const uint MASK_19 = ~0u;
layout (constant_id = 66) const uint MASK_20 = ~0u;
layout (constant_id = 67) const uint MASK_21 = ~0u;
layout (constant_id = 68) const uint MASK_22 = ~0u;
layout (constant_id = 69) const uint MASK_23 = ~0u;
layout (constant_id = 70) const uint MASK_24 = ~0u;
layout (constant_id = 71) const uint MASK_25 = ~0u;
layout (constant_id = 72) const uint MASK_26 = ~0u;
layout (constant_id = 73) const uint MASK_27 = ~0u;
layout (constant_id = 74) const uint MASK_28 = ~0u;
layout (constant_id = 75) const uint MASK_29 = ~0u;
layout (constant_id = 76) const uint MASK_30 = ~0u;
layout (constant_id = 77) const uint MASK_31 = ~0u;

// In a function: outside, arrays are not made of constants that are specialised.
#define MASK \
  uint[] (MASK_0, MASK_1, MASK_2, MASK_3, MASK_4, MASK_5, MASK_6, MASK_7, MASK_8, MASK_9, MASK_10, \
    MASK_11, MASK_12, MASK_13, MASK_14, MASK_15, MASK_16, MASK_17, MASK_18, MASK_19, MASK_20, MASK_21, \
    MASK_22, MASK_23, MASK_24, MASK_25, MASK_26, MASK_27, MASK_28, MASK_29, MASK_30, MASK_31)
