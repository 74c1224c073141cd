/* The commands of dssr-model that have a file of their own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/model.h"

/* Prints how frames of a size are computed.
 * Returns what the program exits with. */
int dssr_model_plan (DssrModel *model, int width, int height, int threads);
