/* How pictures move as a whole: what neighbours are shifted by
 * (docs/integer-contract.md, pan).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/picture.h"
#include "engine/session.h"

static DssrSamples
get_luma (const DssrSession *session, const Held *held)
{
  return dssr_picture_samples (&held->picture, &session->format, 0);
}

/* Since the frame before it, which is held. */
static DssrPan
get_step (DssrSession *session, gint64 number)
{
  Held *held = get_held (session, number);
  const Held *before = get_held (session, number - 1);

  if (!held->follow || !before->follow)
    return (DssrPan){0, 0};
  if (!held->followed) {
    const DssrSamples in = get_luma (session, held);
    const DssrSamples earlier = get_luma (session, before);
    held->pan = session->kernels->pan (&in, &earlier);
    held->followed = TRUE;
  }
  return held->pan;
}

DssrPan
dssr_session_get_pan (DssrSession *session, gint64 centre, gint64 number)
{
  DssrPan sum = {0, 0};

  for (gint64 i = MIN (centre, number) + 1; i <= MAX (centre, number); i++) {
    const DssrPan step = get_step (session, i);
    const int sign = number < centre ? 1 : -1;
    sum.x += sign * step.x;
    sum.y += sign * step.y;
  }
  return (DssrPan){
      .x = CLAMP (sum.x, -DSSR_MAX_PAN, DSSR_MAX_PAN),
      .y = CLAMP (sum.y, -DSSR_MAX_PAN, DSSR_MAX_PAN),
  };
}
