// The rate of oneDNN's u8 x s8 convolution 3x3: onednn WIDTHxHEIGHT THREADS,
// then channels. Prints one JSON object: channels to GMAC/s.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dnnl.hpp>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace dnnl;
using Tag = memory::format_tag;
using Type = memory::data_type;

static const double SECONDS = 0.25;

static convolution_forward::primitive_desc
describe (const engine &cpu, int width, int height, int channels)
{
  memory::dims picture = {1, channels, height, width};
  memory::desc in (picture, Type::u8, Tag::any);
  memory::desc weights ({channels, channels, 3, 3}, Type::s8, Tag::any);
  memory::desc bias ({channels}, Type::s32, Tag::any);
  memory::desc out (picture, Type::u8, Tag::any);
  post_ops relu;
  primitive_attr attributes;
  relu.append_eltwise (algorithm::eltwise_relu, 0, 0);
  attributes.set_post_ops (relu);
  return {cpu, prop_kind::forward_inference, algorithm::convolution_direct, in,
      weights, bias, out, {1, 1}, {1, 1}, {1, 1}, attributes};
}

static memory
fill (const memory::desc &desc, const engine &cpu)
{
  memory result (desc, cpu);
  auto *bytes = static_cast<unsigned char *> (result.get_data_handle ());
  for (size_t i = 0; i < desc.get_size (); i++)
    bytes[i] = i * 2654435761u >> 13;
  return result;
}

// The median over runs, in GMAC/s.
static double
measure (const engine &cpu, int width, int height, int channels)
{
  using Clock = std::chrono::steady_clock;
  auto desc = describe (cpu, width, height, channels);
  convolution_forward conv (desc);
  stream line (cpu);
  memory in = fill (desc.src_desc (), cpu), out = fill (desc.dst_desc (), cpu);
  memory weights = fill (desc.weights_desc (), cpu);
  memory bias = fill (desc.bias_desc (), cpu);
  std::vector<double> rates;
  const double macs = 9.0 * channels * channels * width * height;
  auto begin = Clock::now ();
  std::chrono::duration<double> total;
  do {
    auto start = Clock::now ();
    conv.execute (line, {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weights},
                            {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, out}});
    line.wait ();
    std::chrono::duration<double> run = Clock::now () - start;
    rates.push_back (macs / run.count () / 1e9);
    total = Clock::now () - begin;
  } while (total.count () < SECONDS);
  std::nth_element (
      rates.begin (), rates.begin () + rates.size () / 2, rates.end ());
  return rates[rates.size () / 2];
}

int
main (int argc, char **argv)
{
  int width, height;
  if (argc < 4 || std::sscanf (argv[1], "%dx%d", &width, &height) != 2) {
    std::fprintf (stderr, "usage: onednn WIDTHxHEIGHT THREADS CHANNELS...\n");
    return 2;
  }
  omp_set_num_threads (std::atoi (argv[2]));
  engine cpu (engine::kind::cpu, 0);
  for (int i = 3; i < argc; i++)
    std::printf ("%s\"%s\": %.1f", i > 3 ? ", " : "{", argv[i],
        measure (cpu, width, height, std::atoi (argv[i])));
  std::printf ("}\n");
}
