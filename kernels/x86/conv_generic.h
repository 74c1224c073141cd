/* The convolutions with run-time loops in place of templates.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/kernels.h"

/* Takes weights that conv_pack of the same instruction set packed; sparse ones
 * are convolved as ever. */
void dssr_avxvnni_conv_generic (const DssrTensor *out, const DssrTensor *in,
    int n_in, const DssrConv *conv, int y0, int y1);
void dssr_avx512vnni_conv_generic (const DssrTensor *out, const DssrTensor *in,
    int n_in, const DssrConv *conv, int y0, int y1);
