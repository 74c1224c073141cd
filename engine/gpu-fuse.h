/* Which operations a GPU does together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/gpu-network.h"

/* Fills the groups of a program. An up2 that only convolutions read is none:
 * they read what it would, as it would be. A convolution takes in what reads it
 * pixel by pixel, as far as a chain can be (vulkan.h): deformable sampling with
 * its convolutions, 1x1 convolutions, additions, attention; and of two 3x3
 * ones, the second, where that pays. frame: the program that makes features
 * order: all nodes that are needed, each after those that it reads */
void dssr_gpu_fuse (DssrGpuProgram *program, const DssrProgram *plan,
    const DssrProgram *frame, const int *order, int n_order);

/* What input i of a node is read from. */
DssrSource dssr_gpu_source (
    const DssrProgram *plan, const bool *virtual, int node, int i);
