// Which weights of a sparse convolution are not zero: a bit for each, in the order in which
// conv-input.glsl goes through them. All is known when the pipeline is compiled.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
layout (constant_id = 10) const uint MASK_0 = ~0u;
layout (constant_id = 11) const uint MASK_1 = ~0u;
layout (constant_id = 12) const uint MASK_2 = ~0u;
layout (constant_id = 13) const uint MASK_3 = ~0u;
layout (constant_id = 14) const uint MASK_4 = ~0u;
layout (constant_id = 15) const uint MASK_5 = ~0u;
layout (constant_id = 16) const uint MASK_6 = ~0u;
layout (constant_id = 17) const uint MASK_7 = ~0u;
layout (constant_id = 18) const uint MASK_8 = ~0u;
layout (constant_id = 19) const uint MASK_9 = ~0u;
layout (constant_id = 20) const uint MASK_10 = ~0u;
layout (constant_id = 21) const uint MASK_11 = ~0u;
layout (constant_id = 22) const uint MASK_12 = ~0u;
layout (constant_id = 23) const uint MASK_13 = ~0u;
layout (constant_id = 24) const uint MASK_14 = ~0u;
layout (constant_id = 25) const uint MASK_15 = ~0u;
layout (constant_id = 26) const uint MASK_16 = ~0u;
layout (constant_id = 27) const uint MASK_17 = ~0u;
layout (constant_id = 28) const uint MASK_18 = ~0u;
layout (constant_id = 29) const uint MASK_19 = ~0u;
layout (constant_id = 30) const uint MASK_20 = ~0u;
layout (constant_id = 31) const uint MASK_21 = ~0u;
layout (constant_id = 32) const uint MASK_22 = ~0u;
layout (constant_id = 33) const uint MASK_23 = ~0u;
layout (constant_id = 34) const uint MASK_24 = ~0u;
layout (constant_id = 35) const uint MASK_25 = ~0u;
layout (constant_id = 36) const uint MASK_26 = ~0u;
layout (constant_id = 37) const uint MASK_27 = ~0u;
layout (constant_id = 38) const uint MASK_28 = ~0u;
layout (constant_id = 39) const uint MASK_29 = ~0u;
layout (constant_id = 40) const uint MASK_30 = ~0u;
layout (constant_id = 41) const uint MASK_31 = ~0u;

// In a function: outside, arrays are not made of constants that are specialised.
#define MASK \
  uint[] (MASK_0, MASK_1, MASK_2, MASK_3, MASK_4, MASK_5, MASK_6, MASK_7, MASK_8, MASK_9, MASK_10, \
    MASK_11, MASK_12, MASK_13, MASK_14, MASK_15, MASK_16, MASK_17, MASK_18, MASK_19, MASK_20, MASK_21, \
    MASK_22, MASK_23, MASK_24, MASK_25, MASK_26, MASK_27, MASK_28, MASK_29, MASK_30, MASK_31)
