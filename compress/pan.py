"""How a picture moves as a whole, in whole pixels: the contract's pan (docs/integer-contract.md), as kernels/scalar/pan.c.

Where a camera pans, neighbours are shifted back by this before the network looks for what is left of the motion.
"""

import numpy as np

SIDE = 32  # of the squares that are compared
PATCH = 4  # side of the sums that are compared first
REACH = 3  # how far is looked, in patches and then in pixels
MOST = PATCH * REACH + REACH  # pixels that a pan has in each direction
MARGIN = MOST + 1  # around the squares
MOST_SQUARES = 64


def squares(height, width):
    """First row and column of each square."""
    rows, columns = ((size - 2 * MARGIN) // SIDE for size in (height, width))
    step = 1
    while -(-rows // step) * -(-columns // step) > MOST_SQUARES:
        step += 1
    return [(MARGIN + SIDE * y, MARGIN + SIDE * x) for y in range(0, rows, step) for x in range(0, columns, step)]


def cut(plane, places, margin):
    return np.stack([plane[y - margin : y + SIDE + margin, x - margin : x + SIDE + margin] for y, x in places]).astype(np.int32)


def sums(pictures):
    n, height, width = pictures.shape
    return pictures.reshape(n, height // PATCH, PATCH, width // PATCH, PATCH).sum((2, 4))


def differences(centre, around):
    """(shift, sum of absolute differences) for each shift by up to REACH, in order of rows and columns."""
    side = centre.shape[1]
    for dy in range(2 * REACH + 1):
        for dx in range(2 * REACH + 1):
            yield (dy - REACH, dx - REACH), int(np.abs(around[:, dy : dy + side, dx : dx + side] - centre).sum())


def least(best, found):
    """The first of `found` that is less than `best` and all others before."""
    for shift, cost in found:
        if cost < best[1]:
            best = shift, cost
    return best


def pan(frame, before):
    """(rows, columns) by which what `frame` shows, uint8 luma, was further in the one `before`."""
    places = squares(*frame.shape)
    if not places:
        return 0, 0
    centre = cut(frame, places, 0)
    patches, around = sums(centre), sums(cut(before, places, PATCH * REACH))
    still = int(np.abs(around[:, REACH:-REACH, REACH:-REACH] - patches).sum())
    (y, x), _ = least(((0, 0), still), differences(patches, around))
    y, x = PATCH * y, PATCH * x
    still = int(np.abs(cut(before, places, 0) - centre).sum())
    found = differences(centre, cut(before, [(py + y, px + x) for py, px in places], REACH))
    shift, cost = least(((0, 0), still), (((y + dy, x + dx), cost) for (dy, dx), cost in found))
    return shift if 8 * cost < 7 * still else (0, 0)


def pans(window):
    """Where each frame of a window, (frames, height, width) uint8, has what its centre has: the sums of the pans between
    neighbours, at most MOST in each direction."""
    steps = [(0, 0)] + [pan(frame, before) for before, frame in zip(window, window[1:])]
    total = np.cumsum(steps, 0)
    return np.clip(total[len(window) // 2] - total, -MOST, MOST)
