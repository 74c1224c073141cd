/* The compiled shaders.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

static const uint32_t input[] =
#include "input.h"
    ;
static const uint32_t conv[] =
#include "conv.h"
    ;
static const uint32_t conv_dot[] =
#include "conv-dot.h"
    ;
static const uint32_t conv_sparse[] =
#include "conv-sparse.h"
    ;
static const uint32_t conv_sparse_dot[] =
#include "conv-sparse-dot.h"
    ;
static const uint32_t chain[] =
#include "chain.h"
    ;
static const uint32_t chain_dot[] =
#include "chain-dot.h"
    ;
static const uint32_t chain_sparse[] =
#include "chain-sparse.h"
    ;
static const uint32_t chain_sparse_dot[] =
#include "chain-sparse-dot.h"
    ;
static const uint32_t deform[] =
#include "deform.h"
    ;
static const uint32_t add[] =
#include "add.h"
    ;
static const uint32_t up2[] =
#include "up2.h"
    ;
static const uint32_t shuffle[] =
#include "shuffle.h"
    ;
static const uint32_t follow[] =
#include "follow.h"
    ;
static const uint32_t pool[] =
#include "pool.h"
    ;
static const uint32_t modulate[] =
#include "modulate.h"
    ;
static const uint32_t attention[] =
#include "attention.h"
    ;
static const uint32_t enlarge[] =
#include "enlarge.h"
    ;
static const uint32_t contrast[] =
#include "contrast.h"
    ;
static const uint32_t bench[] =
#include "bench.h"
    ;
static const uint32_t bench_dot[] =
#include "bench-dot.h"
    ;

const DssrSpirv dssr_shaders[DSSR_N_SHADERS] = {
    [DSSR_SHADER_INPUT] = {input, sizeof input},
    [DSSR_SHADER_CONV] = {conv, sizeof conv},
    [DSSR_SHADER_CONV_DOT] = {conv_dot, sizeof conv_dot},
    [DSSR_SHADER_CONV_SPARSE] = {conv_sparse, sizeof conv_sparse},
    [DSSR_SHADER_CONV_SPARSE_DOT] = {conv_sparse_dot, sizeof conv_sparse_dot},
    [DSSR_SHADER_CHAIN] = {chain, sizeof chain},
    [DSSR_SHADER_CHAIN_DOT] = {chain_dot, sizeof chain_dot},
    [DSSR_SHADER_CHAIN_SPARSE] = {chain_sparse, sizeof chain_sparse},
    [DSSR_SHADER_CHAIN_SPARSE_DOT] = {chain_sparse_dot,
        sizeof chain_sparse_dot},
    [DSSR_SHADER_DEFORM] = {deform, sizeof deform},
    [DSSR_SHADER_ADD] = {add, sizeof add},
    [DSSR_SHADER_UP2] = {up2, sizeof up2},
    [DSSR_SHADER_SHUFFLE] = {shuffle, sizeof shuffle},
    [DSSR_SHADER_FOLLOW] = {follow, sizeof follow},
    [DSSR_SHADER_POOL] = {pool, sizeof pool},
    [DSSR_SHADER_MODULATE] = {modulate, sizeof modulate},
    [DSSR_SHADER_ATTENTION] = {attention, sizeof attention},
    [DSSR_SHADER_ENLARGE] = {enlarge, sizeof enlarge},
    [DSSR_SHADER_CONTRAST] = {contrast, sizeof contrast},
    [DSSR_SHADER_BENCH] = {bench, sizeof bench},
    [DSSR_SHADER_BENCH_DOT] = {bench_dot, sizeof bench_dot},
};
