/* Convolution: dot products of four channels of many pixels at once.
 *
 * A vector holds a quad of consecutive pixels of a row. A tile is a few vectors
 * side by side by some output channels, whose sums stay in registers while each
 * vector of the input that is loaded is multiplied by a quad of weights of each
 * of these channels. Rows have margins, so that a vector may begin before the
 * row and end behind it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/x86/conv_choice.h"
#include "kernels/x86/conv_generic.h"
#include "kernels/x86/conv_requantise.h"

typedef struct {
  alignas (DSSR_ALIGNMENT) const Method *method; /* of the weights */
  bool exact;          /* nothing saturates before the end */
  Channels channels[]; /* of each output quad; then the weights */
} Packed;

static size_t
head_size (const DssrConv *conv)
{
  const size_t size = sizeof (Packed) + conv->out_quads * sizeof (Channels);
  return (size + DSSR_ALIGNMENT - 1) & -DSSR_ALIGNMENT;
}

size_t
DSSR_KERNEL (conv_packed_size) (const DssrConv *conv)
{
  return head_size (conv) + choose_method (conv)->size (conv);
}

/* Whether 16 bits hold all that an output channel can come to before it is
 * clamped, and the shift leaves no less. */
static bool
is_exact (const DssrConv *conv)
{
  const int taps = conv->kernel * conv->kernel;
  const size_t n = (size_t)4 * taps * conv->in_quads;

  for (int o = 0; o < 4 * conv->out_quads; o++) {
    const int8_t *weight = weight_quad (conv, o, 0, 0);
    int64_t least = (int64_t)conv->bias[o] + round_of (conv->shift);
    int64_t most = least;
    for (size_t i = 0; i < n; i++)
      *(weight[i] < 0 ? &least : &most) += 255 * weight[i];
    least >>= conv->shift;
    most >>= conv->shift;
    if (least < INT16_MIN || most > INT16_MAX
        || mulhrs (most, conv->mult[o]) > INT16_MAX - conv->zero)
      return false;
  }
  return conv->shift <= 16;
}

static void
pack_channels (const DssrConv *conv, Channels *channels)
{
  for (int o = 0; o < 4 * conv->out_quads; o++) {
    Channels *c = &channels[o / 4];
    /* An overflow here is taken back when the products are added. */
    c->bias[o % 4] =
        (int32_t)((uint32_t)conv->bias[o] + (uint32_t)round_of (conv->shift));
    c->mult_pairs[o % 4] = conv->mult[o];
    c->mult_neg_pairs[o % 4] = conv->mult_neg ? conv->mult_neg[o] : 0;
    for (int i = 0; i < 4; i++) {
      c->mult[o % 4][i] = c->mult_pairs[o % 4];
      c->mult_neg[o % 4][i] = c->mult_neg_pairs[o % 4];
    }
  }
}

void
DSSR_KERNEL (conv_pack) (const DssrConv *conv, void *packed)
{
  Packed *p = packed;

  p->method = choose_method (conv);
  p->exact = is_exact (conv);
  pack_channels (conv, p->channels);
  p->method->pack (conv, (char *)packed + head_size (conv));
}

static void
run (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv, int y0,
    int y1, Run *run_method)
{
  const Packed *packed = conv->packed;
  const Job job = {
      .channels = packed->channels,
      .weights = (const char *)packed + head_size (conv),
      .requantise = requantise_kernel (conv, packed->exact),
  };

  run_method (out, in, conv, &job, y0, y1);
  if (!conv->wide)
    fill_margins (out, y0, y1);
}

void
DSSR_KERNEL (conv) (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  const Packed *packed = conv->packed;

  run (out, in, conv, y0, y1, packed->method->run);
}

#ifdef DSSR_HAVE_DOT
void
DSSR_KERNEL (conv_generic) (const DssrTensor *out, const DssrTensor *in,
    int n_in, const DssrConv *conv, int y0, int y1)
{
  const Packed *packed = conv->packed;

  run (out, in, conv, y0, y1,
      packed->method == &dense_method ? generic_run : packed->method->run);
}
#endif
