/* dssr-bench: the shapes of kernels, as in the shipped models.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench-kernels.h"

/* clang-format off */
#define CONV(name_, taps_, stride_, in_, out_, ...)                            \
  {.name = "conv " name_, .kernel = BENCH_CONV, .taps = taps_,                 \
   .stride = stride_, .in = in_, .out = out_, __VA_ARGS__}

const BenchShape bench_shapes[] = {
    CONV ("3x3 16 to 16", 3, 1, 16, 16),
    CONV ("3x3 8 to 8", 3, 1, 8, 8),
    CONV ("3x3 40 to 8", 3, 1, 40, 8),
    CONV ("3x3 1 to 16", 3, 1, 1, 16),
    CONV ("3x3 16 to 16, stride 2", 3, 2, 16, 16),
    CONV ("3x3 8 to 12, wide", 3, 1, 8, 12, .wide = TRUE),
    CONV ("3x3 16 to 16, wide", 3, 1, 16, 16, .wide = TRUE),
    CONV ("3x3 64 to 64", 3, 1, 64, 64),
    CONV ("1x1 16 to 4", 1, 1, 16, 4),
    CONV ("1x1 16 to 16", 1, 1, 16, 16),
    CONV ("1x1 32 to 16", 1, 1, 32, 16),
    CONV ("1x1 48 to 16", 1, 1, 48, 16),
    CONV ("1x1 144 to 16", 1, 1, 144, 16),
    CONV ("3x3 16 to 16, 50 % of quads", 3, 1, 16, 16, .density = 50),
    CONV ("3x3 16 to 16, 25 % of quads", 3, 1, 16, 16, .density = 25),
    CONV ("3x3 16 to 16, 4 bits", 3, 1, 16, 16, .bits = 4),
    CONV ("3x3 16 to 16, 4 bits, 25 %", 3, 1, 16, 16, .density = 25, .bits = 4),
    {.name = "input", .kernel = BENCH_INPUT, .out = 1},
    {.name = "deform 1x1 16", .kernel = BENCH_DEFORM, .taps = 1, .in = 16, .out = 16},
    {.name = "deform 3x3 16", .kernel = BENCH_DEFORM, .taps = 3, .in = 16, .out = 144},
    {.name = "add 16", .kernel = BENCH_ADD, .in = 16, .out = 16},
    {.name = "up2 16", .kernel = BENCH_UP2, .in = 16, .out = 16},
    {.name = "follow 16", .kernel = BENCH_FOLLOW, .in = 16, .out = 16},
    {.name = "attention 16", .kernel = BENCH_ATTENTION, .in = 4, .out = 16},
    {.name = "head x2", .kernel = BENCH_HEAD, .in = 4, .scale = 2, .depth = 8},
    {.name = "head x4", .kernel = BENCH_HEAD, .in = 16, .scale = 4, .depth = 8},
    {.name = "head x4, 10 bits", .kernel = BENCH_HEAD, .in = 16, .scale = 4, .depth = 10},
    {.name = "bicubic x2", .kernel = BENCH_BICUBIC, .scale = 2, .depth = 8},
    {.name = "bicubic x4", .kernel = BENCH_BICUBIC, .scale = 4, .depth = 8},
    {.name = "bicubic x4, 10 bits", .kernel = BENCH_BICUBIC, .scale = 4, .depth = 10},
    {.name = "contrast x2", .kernel = BENCH_CONTRAST, .scale = 2, .depth = 8},
    {.name = "contrast x4, 10 bits", .kernel = BENCH_CONTRAST, .scale = 4, .depth = 10},
    {.name = "noise", .kernel = BENCH_NOISE, .scale = 1, .depth = 8},
    {.name = "denoise", .kernel = BENCH_DENOISE, .scale = 1, .depth = 8},
    {.name = "pan", .kernel = BENCH_PAN, .scale = 1, .depth = 8},
    {.name = "border 3x3 16 to 16", .kernel = BENCH_CONV_BORDER, .taps = 3, .stride = 1, .in = 16, .out = 16},
    {.name = "deform 3x3 16, zero outside", .kernel = BENCH_DEFORM_ZERO, .taps = 3, .in = 16, .out = 144},
    {.name = "shuffle 64", .kernel = BENCH_SHUFFLE, .in = 64, .out = 16},
    {.name = "pool 16", .kernel = BENCH_POOL, .in = 16, .out = 16},
    {.name = "modulate 16", .kernel = BENCH_MODULATE, .in = 16, .out = 16},
    {.name = "head of RGB x2", .kernel = BENCH_HEAD_PLANES, .in = 12, .scale = 2, .depth = 8},
    {.name = NULL},
};
/* clang-format on */

gboolean
bench_shape_is_whole (const BenchShape *shape)
{
  return shape->kernel == BENCH_NOISE || shape->kernel == BENCH_DENOISE
         || shape->kernel == BENCH_PAN;
}
