/* The backend's table of functions, and what they work on.
 *
 * Every function computes the rows [y0, y1) of its output, over the whole
 * width, so that a caller can share the rows of one operation between threads.
 * docs/integer-contract.md defines the results in words; kernels/scalar/
 * defines them in C. Arguments are trusted: the engine has checked them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pixels of memory before and after each row of a tensor. Kernels read and
 * write them, so that vectors need no tail and windows no border: a kernel that
 * writes a row of an 8-bit tensor also writes its edge pixels once more, at -1
 * and at width; what it leaves in the rest of the margins is of no account. */
enum { DSSR_MARGIN_LEFT = 16, DSSR_MARGIN_RIGHT = 32 };

/* A feature map, NC4HW4: `quads` planes of height x width pixels of 4 channels.
 * A channel is a uint8_t, or an int16_t in a wide tensor (offsets, residual).
 * Channel c is lane c & 3 of quad c >> 2. Lanes past the last channel hold the
 * zero point. */
typedef struct {
  void *data;       /* pixel 0 of row 0; DSSR_ALIGNMENT */
  ptrdiff_t stride; /* bytes from a row to the next of the same quad, a multiple
                       of DSSR_ALIGNMENT */
  ptrdiff_t plane;  /* bytes from a quad to the next, likewise */
  int width, height;
  int quads;
  int ring; /* rows in memory, a power of two: row y is where y modulo ring is;
               0: all rows are */
} DssrTensor;

/* Bytes that rows and packed weights are aligned to: the longest vector. */
#define DSSR_ALIGNMENT 64

/* A plane of a picture. Samples of 8 bits are bytes, deeper ones uint16_t in
 * native order. */
typedef struct {
  void *data;
  ptrdiff_t stride; /* bytes from a row to the next */
  int step; /* bytes from a sample to the next: 1 or 2 in planar pictures, more
               in interleaved ones */
  int width, height;
  int depth; /* bits of a sample, 8 to 12 */
  int shift; /* left shift of a sample in its uint16_t: 6 in P010, else 0 */
} DssrSamples;

typedef enum { DSSR_ACT_NONE, DSSR_ACT_RELU, DSSR_ACT_LEAKY } DssrActivation;

/* Convolution 1x1 or 3x3, stride 1 or 2, outside the picture is the edge pixel,
 * or zero where conv_border follows. */
typedef struct {
  int kernel;   /* 1 or 3 */
  int stride;   /* 1 or 2 */
  int in_quads; /* of all inputs together */
  int out_quads;
  const int8_t *weight; /* [4 * out_quads][kernel * kernel][in_quads][4] */
  const uint8_t *mask;  /* bit i & 7 of byte i >> 3: weight quad i is not zero;
                           NULL: dense */
  const int32_t *bias;  /* [4 * out_quads] */
  const int16_t *mult;  /* [4 * out_quads], 0 to 32767 */
  const int16_t *mult_neg; /* [4 * out_quads], LeakyReLU's other product, at
                              most mult; else NULL */
  DssrActivation act;
  int shift; /* 0 to 24 */
  bool wide; /* int16_t out, no zero point, no clamp but saturation */
  int zero;  /* zero point of the output */
  int max;   /* greatest output: 255, or 15 for a 4-bit activation */
  const uint8_t *outside; /* zero point of each input quad: what is outside the
                             picture; NULL: its edge is */
  const void *packed;     /* what the table's conv_pack made of all this */
} DssrConv;

/* Modulated deformable sampling: kernel^2 bilinear samples of each channel,
 * taps outermost. */
typedef struct {
  int kernel;           /* 1 or 3 */
  int groups;           /* divides the feature's quads */
  int limit;            /* offsets are clamped to +-limit, in 1/16 pixel */
  int zero;             /* zero point of the feature and of the output */
  const uint8_t *table; /* 256 entries: modulation in 1/256 */
} DssrDeform;

/* Sum of two tensors of different scales. */
typedef struct {
  int zero_a, zero_b, zero, max;
  int mult_a, mult_b; /* 0 to 32767, in 1/16384 */
} DssrAdd;

/* v times a factor of 0 to 2 or more that the gate's table gives, plus b, all
 * of different scales. */
typedef struct {
  int zero_v, zero_b, zero, max;
  int mult_v, mult_b;   /* 0 to 32767, in 1/16384 */
  const uint8_t *table; /* 256 entries: for each value of the gate, in 1/256 */
} DssrModulate;

/* 3x3 windows, stride 2. */
typedef struct {
  bool average; /* of nine, those outside the picture being zero; else the
                   greatest, those outside left out */
  int zero;     /* zero point of input and output */
} DssrPooling;

/* Temporal attention: v times the sigmoid of the dot product of two embeddings.
 */
typedef struct {
  int zero_a, zero_b, zero_v;
  int shift;            /* 0 to 24 */
  int mult;             /* 0 to 32767 */
  const uint8_t *table; /* 256 entries: attention in 1/256 */
} DssrAttention;

/* Where samples of the enlarged plane lie, in 1/16 sample of the small one:
 * output i is at 16 * i / scale + phase. */
typedef struct {
  int scale; /* 2 or 4 */
  int phase_x, phase_y;
} DssrBicubic;

/* A curve and local contrast for what was enlarged. Brightness is in 1/16 of a
 * step of 8 bits. */
typedef struct {
  int scale;        /* 2 or 4: of the enlarged plane */
  int black, range; /* where brightness begins, and how far it reaches: not
                       beyond the greatest sample */
  int lift;         /* of the middle, at most 2^28 / range */
  int gain;  /* of the difference from the surroundings, 0 to 256, in 1/256 */
  int limit; /* of what that adds, 0 to 4095 */
} DssrContrast;

/* Noise of a scene that stands still, in 1/16 of a step of 8 bits. */
typedef struct {
  int variance; /* below 2^23; 0: more moves, or there is no noise worth the
                   name, or no texture to tell by */
  int coarse;   /* the variance that white noise would have whose sums over 4x4
                   samples are as strong: 1 to 8 times as much */
} DssrNoise;

/* Averaging over time in a scene that stands still. All planes are of one size,
 * and those that are written are no others. */
typedef struct {
  DssrNoise noise;    /* not 0 */
  DssrSamples before; /* what was put out for the frame before */
  DssrSamples mean;   /* of the frames before: in 12 bits; or the one frame
                         before */
  DssrSamples next;   /* the mean with this frame, written in 12 bits */
} DssrDenoise;

/* Where the frame before has what a frame has, in whole pixels: at most
 * DSSR_MAX_PAN in each direction. */
enum { DSSR_MAX_PAN = 15 };
typedef struct {
  int x, y;
} DssrPan;

typedef struct {
  const char *name; /* of the instruction set of conv */

  /* Planes of the same size (luma, or red, green and blue) to a tensor of
   * unshuffle^2 (1, 2 or 4) channels each, zero point 0. */
  void (*input) (const DssrTensor *out, const DssrSamples *planes, int n_planes,
      int unshuffle, int y0, int y1);

  /* Bytes of the weights as this table's conv wants them; 0: it wants none. */
  size_t (*conv_packed_size) (const DssrConv *conv);
  /* Writes them; packed is aligned to DSSR_ALIGNMENT. */
  void (*conv_pack) (const DssrConv *conv, void *packed);

  /* `in` is a list of `n_in` tensors whose quads are concatenated. */
  void (*conv) (const DssrTensor *out, const DssrTensor *in, int n_in,
      const DssrConv *conv, int y0, int y1);

  /* Computes again, after conv, those outputs whose window leaves the picture,
   * with conv->outside there. */
  void (*conv_border) (const DssrTensor *out, const DssrTensor *in, int n_in,
      const DssrConv *conv, int y0, int y1);

  /* `offset` is wide: channels dy[K][G], dx[K][G], modulation[K][G], K =
   * kernel^2. */
  void (*deform) (const DssrTensor *out, const DssrTensor *feature,
      const DssrTensor *offset, const DssrDeform *deform, int y0, int y1);

  /* The same, with zero outside the picture. */
  void (*deform_zero) (const DssrTensor *out, const DssrTensor *feature,
      const DssrTensor *offset, const DssrDeform *deform, int y0, int y1);

  void (*add) (const DssrTensor *out, const DssrTensor *a, const DssrTensor *b,
      const DssrAdd *add, int y0, int y1);

  /* Twice as large, bilinear; an odd output leaves the last row or column out.
   */
  void (*up2) (const DssrTensor *out, const DssrTensor *in, int y0, int y1);

  /* Pixel shuffle: channels 4c to 4c + 3 become 2x2 pixels of channel c; an odd
   * output leaves the last row or column out. */
  void (*shuffle) (
      const DssrTensor *out, const DssrTensor *in, int zero, int y0, int y1);

  /* out (x, y) is in (x + pan.x, y + pan.y); outside is the edge. */
  void (*follow) (
      const DssrTensor *out, const DssrTensor *in, DssrPan pan, int y0, int y1);

  void (*pool) (const DssrTensor *out, const DssrTensor *in,
      const DssrPooling *pool, int y0, int y1);

  void (*modulate) (const DssrTensor *out, const DssrTensor *v,
      const DssrTensor *gate, const DssrTensor *b, const DssrModulate *modulate,
      int y0, int y1);

  void (*attention) (const DssrTensor *out, const DssrTensor *a,
      const DssrTensor *b, const DssrTensor *v, const DssrAttention *attention,
      int y0, int y1);

  /* Bicubic enlargement of a chroma plane; y0 and y1 count output rows. */
  void (*bicubic) (const DssrSamples *out, const DssrSamples *in,
      const DssrBicubic *bicubic, int y0, int y1);

  /* The bicubic base of luma plus the pixel-shuffled wide residual of shuffle^2
   * channels, in 1/64 of an 8-bit step; y0 and y1 count output rows. shuffle =
   * scale * unshuffle. */
  void (*head) (const DssrSamples *out, const DssrSamples *luma,
      const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle,
      int y0, int y1);

  /* The head of planes of the same size, whose channels follow one another in
   * the residual, on a bicubic or a linear base; any shuffle. */
  void (*head_planes) (const DssrSamples *out, const DssrSamples *in,
      int n_planes, const DssrTensor *residual, const DssrBicubic *bicubic,
      bool linear, int shuffle, int y0, int y1);

  /* Changes an enlarged plane in place. `in` is the small plane, at most 4096
   * wide; y0 and y1 count output rows. */
  void (*contrast) (const DssrSamples *out, const DssrSamples *in,
      const DssrContrast *contrast, int y0, int y1);

  /* The noise in which a plane differs from the one before, if that is all. Of
   * the whole plane. On a GPU, the CPU does this and denoise. */
  DssrNoise (*noise) (const DssrSamples *in, const DssrSamples *before);

  /* Nearer to the mean of the frames before, where it differs from that by
   * noise. Planes are at most 4096 wide. */
  void (*denoise) (const DssrSamples *out, const DssrSamples *in,
      const DssrDenoise *denoise, int y0, int y1);

  /* How a plane moved as a whole since the one before. On a GPU, the CPU does
   * this. */
  DssrPan (*pan) (const DssrSamples *in, const DssrSamples *before);
} DssrKernels;

/* The contract in plain C. */
const DssrKernels *dssr_kernels_scalar (void);

/* The fastest table for this CPU (kernels/cpu.h): the scalar one where there is
 * none better. */
const DssrKernels *dssr_kernels_cpu (void);

/* Catmull-Rom at sixteenths of a sample, in 1/128; each row sums to 128. */
extern const int16_t dssr_bicubic_taps[16][4];
/* The same of linear interpolation. */
extern const int16_t dssr_linear_taps[16][4];
