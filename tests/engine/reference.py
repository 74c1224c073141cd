#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a model on a few tiny frames by the letter of docs/, slowly, and wants the engine's bytes.

    reference.py ENLARGE_RAW MODEL [--size WxH] [--depth D] [--lookahead L] [--frames N]

Knows nothing of quads in memory, bands, slots or caches: a tensor is a list of channels, a
channel a list of rows, a frame's features are computed for each window anew.
"""

import argparse
import json
import os
import random
import shlex
import struct
import subprocess
import sys
from array import array
from dataclasses import dataclass


@dataclass
class Tensor:
    channels: list
    zero: int = 0

    @property
    def height(self):
        return len(self.channels[0])

    @property
    def width(self):
        return len(self.channels[0][0])


def clamp(x, low, high):
    return max(low, min(x, high))


def sat16(x):
    return clamp(x, -32768, 32767)


def rounding(shift):
    return 1 << shift >> 1


def mulhrs(a, b):
    return (a * b + 0x4000) >> 15


def at(plane, x, y):
    """A sample, or the nearest one inside."""
    row = plane[clamp(y, 0, len(plane) - 1)]
    return row[clamp(x, 0, len(row) - 1)]


def is_outside(plane, x, y):
    return not (0 <= x < len(plane[0]) and 0 <= y < len(plane))


def pixel(op, plane, zero, x, y):
    """A value that an operation reads: outside the picture, what its border says."""
    return zero if op.get("border") == "zero" and is_outside(plane, x, y) else at(plane, x, y)


def pan(frame, before):
    """Where `before` has what `frame` has, planes of 8 bits: columns and rows."""
    columns, rows = (max(size - 32, 0) // 32 for size in (len(frame[0]), len(frame)))
    step = 1
    while -(-columns // step) * -(-rows // step) > 64:
        step += 1
    places = [(16 + 32 * x, 16 + 32 * y) for y in range(0, rows, step) for x in range(0, columns, step)]

    def cost(patch, dx, dy):
        inside = [(i, j) for j in range(patch) for i in range(patch)]
        return sum(
            abs(sum(frame[y + j][x + i] - before[y + j + dy][x + i + dx] for i, j in inside))
            for x0, y0 in places
            for y in range(y0, y0 + 32, patch)
            for x in range(x0, x0 + 32, patch)
        )

    def search(patch, around, least):
        best = (0, 0)
        for dy in range(-3, 4):
            for dx in range(-3, 4):
                shift = (around[0] + patch * dx, around[1] + patch * dy)
                value = cost(patch, *shift)
                if value < least:
                    best, least = shift, value
        return best, least

    near, _ = search(4, (0, 0), cost(4, 0, 0))
    still = cost(1, 0, 0)
    best, least = search(1, near, still)
    return best if 8 * least < 7 * still else (0, 0)


def total_pan(frames, centre, number):
    """Where a frame of a window has what its centre has."""
    sign, total = 1 if number < centre else -1, (0, 0)
    for i in range(min(centre, number) + 1, max(centre, number) + 1):
        step = (0, 0) if frames[i] is frames[i - 1] else pan(frames[i][0], frames[i - 1][0])
        total = tuple(t + sign * s for t, s in zip(total, step))
    return tuple(clamp(t, -15, 15) for t in total)


class Model:
    def __init__(self, path):
        data = open(path, "rb").read()
        (length,) = struct.unpack_from("<Q", data)
        self.header = json.loads(data[8 : 8 + length])
        self.data = data[8 + length :]
        meta = self.header["__metadata__"]
        self.scale, self.window = int(meta["dssr.scale"]), int(meta["dssr.window"])
        self.graph = json.loads(meta["dssr.graph"])
        first = self.graph["frame"][0]
        self.unshuffle, self.source = first["unshuffle"], first["in"][0]
        self.planes = 3 if self.source == "rgb" else 1
        self.align_centre = self.graph.get("align_centre", False)

    def has(self, name):
        return name in self.header

    def array(self, name):
        entry = self.header[name]
        begin, end = entry["data_offsets"]
        values = array({"I8": "b", "U8": "B", "I16": "h", "I32": "i"}[entry["dtype"]], self.data[begin:end])
        if sys.byteorder == "big":
            values.byteswap()
        return values.tolist()

    def weights(self, name, bits, count):
        """All weights, absent quads as zeros, in the order of the dense array."""
        values = self.array(f"{name}.weight")
        if bits < 8:
            stream = int.from_bytes(bytes(values), "little")
            fields = [stream >> bits * i & (1 << bits) - 1 for i in range(8 * len(values) // bits)]
            values = [f - (1 << bits) if f >> bits - 1 else f for f in fields]
        if not self.has(f"{name}.mask"):
            return values[:count]
        mask, stored, dense = self.array(f"{name}.mask"), iter(values), []
        for quad in range(count // 4):
            present = mask[quad >> 3] >> (quad & 7) & 1
            dense += [next(stored) for _ in range(4)] if present else [0] * 4
        return dense


class Interpreter:
    def __init__(self, model, depth):
        self.model, self.depth = model, depth

    def stage(self, stage, known):
        """Adds the outputs of a stage's operations to `known`, by their plain names."""
        for op in self.model.graph[stage]:
            inputs = [known[name] for name in op["in"]]
            known[op["out"]] = getattr(self, op["op"])(op, f"{stage}.{op['out']}", *inputs)
        return known

    def run(self, frames, centre):
        """The enlarged centre frame of a window of frames, lists of planes."""
        outputs = {op["out"] for op in self.model.graph["frame"]}
        source = self.model.source
        features = [{k: v for k, v in self.stage("frame", {source: f}).items() if k in outputs} for f in frames]
        ref = {f"ref.{k}": v for k, v in features[centre].items()}
        self.centre = frames[centre]
        known = dict(ref)
        others = [i for i in range(len(features)) if i != centre or self.model.align_centre]
        for i, number in enumerate(others):
            other, self.pan = features[number], total_pan(frames, centre, number)
            aligned = self.stage("align", dict(ref, **{f"nbr.{k}": v for k, v in other.items()}))
            known.update({f"nbr{i}.{op['out']}": aligned[op["out"]] for op in self.model.graph["align"]})
        return self.stage("fuse", known)[self.model.graph["fuse"][-1]["out"]]

    def input(self, op, name, planes):
        u, shift = op["unshuffle"], self.depth - 8
        width, height = -(-len(planes[0][0]) // u), -(-len(planes[0]) // u)

        def p8(plane, x, y):
            return min((at(plane, x, y) + rounding(shift)) >> shift, 255)

        return Tensor(
            [
                [[p8(plane, u * x + i, u * y + j) for x in range(width)] for y in range(height)]
                for plane in planes
                for j in range(u)
                for i in range(u)
            ]
        )

    def conv(self, op, name, *inputs):
        k, stride, shift = op["kernel"], op["stride"], op["shift"]
        planes = []  # with padding lanes in place, as None
        for tensor in inputs:
            planes += tensor.channels + [None] * (-len(tensor.channels) % 4)
        outputs = -(-op["channels"] // 4) * 4
        weights = self.model.weights(name, op["bits"], outputs * k * k * len(planes))
        bias, mult = self.model.array(f"{name}.bias"), self.model.array(f"{name}.mult")
        # A padding lane holds its tensor's zero point, which no picture changes.
        zeros = [t.zero for t in inputs for _ in range(-(-len(t.channels) // 4) * 4)]
        negative = self.model.array(f"{name}.mult_neg") if op["act"] == "leaky" else None
        width, height = -(-inputs[0].width // stride), -(-inputs[0].height // stride)

        def value(o, x, y):
            acc = bias[o]
            for tap in range(k * k):
                px, py = stride * x + tap % k - k // 2, stride * y + tap // k - k // 2
                first = (o * k * k + tap) * len(planes)
                for i, plane in enumerate(planes):
                    w = weights[first + i]
                    if w:
                        acc += w * (zeros[i] if plane is None else pixel(op, plane, zeros[i], px, py))
            assert -(2**31) <= acc < 2**31
            t = sat16((acc + rounding(shift)) >> shift)
            out = mulhrs(t, mult[o])
            if op["act"] == "relu":
                out = max(out, 0)
            elif op["act"] == "leaky":
                out = max(out, mulhrs(t, negative[o]))
            return sat16(out) if op["wide"] else clamp(out + op["zero"], 0, op["max"])

        return Tensor(
            [[[value(o, x, y) for x in range(width)] for y in range(height)] for o in range(op["channels"])],
            0 if op["wide"] else op["zero"],
        )

    def deform(self, op, name, feature, offset):
        k, groups, limit = op["kernel"], op["groups"], op["limit"]
        taps, zero, table = k * k, feature.zero, self.model.array(f"{name}.table")
        per_group = -(-len(feature.channels) // 4) * 4 // groups

        def value(c, tap, x, y):
            group = c // per_group
            dy, dx, m = (offset.channels[part * taps * groups + tap * groups + group][y][x] for part in range(3))
            py = 16 * (y + tap // k - k // 2) + clamp(dy, -limit, limit)
            px = 16 * (x + tap % k - k // 2) + clamp(dx, -limit, limit)
            iy, fy, ix, fx = py >> 4, py & 15, px >> 4, px & 15
            plane = feature.channels[c]
            corners = ((ix + i, iy + j, (fx if i else 16 - fx) * (fy if j else 16 - fy)) for j in (0, 1) for i in (0, 1))
            v = sum(pixel(op, plane, zero, cx, cy) * weight for cx, cy, weight in corners)
            v = (v + 128) >> 8
            return zero + (((v - zero) * table[clamp(m + 128, 0, 255)] + 128) >> 8)

        return Tensor(
            [
                [[value(c, tap, x, y) for x in range(feature.width)] for y in range(feature.height)]
                for tap in range(taps)
                for c in range(len(feature.channels))
            ],
            zero,
        )

    def add(self, op, name, a, b):
        mult_a, mult_b = op["mult"]

        def value(p, q):
            total = mulhrs((p - a.zero) << 6, mult_a) + mulhrs((q - b.zero) << 6, mult_b)
            return clamp(op["zero"] + ((total + 16) >> 5), 0, op["max"])

        channels = [
            [[value(p, q) for p, q in zip(row_a, row_b)] for row_a, row_b in zip(plane_a, plane_b)]
            for plane_a, plane_b in zip(a.channels, b.channels)
        ]
        return Tensor(channels, op["zero"])

    def up2(self, op, name, tensor):
        # The level above may be odd; what is made here may have a row or column too many.
        def value(plane, x, y):
            n = (x // 2, y // 2)
            h, v = n[0] + (1 if x % 2 else -1), n[1] + (1 if y % 2 else -1)
            total = 9 * at(plane, *n) + 3 * at(plane, h, n[1]) + 3 * at(plane, n[0], v) + at(plane, h, v)
            return (total + 8) >> 4

        width, height = self.above(tensor)
        channels = [[[value(p, x, y) for x in range(width)] for y in range(height)] for p in tensor.channels]
        return Tensor(channels, tensor.zero)

    def above(self, tensor):
        """The size of the level whose half, rounded up, is this tensor's."""
        u = self.model.unshuffle
        width, height = -(-len(self.centre[0][0]) // u), -(-len(self.centre[0]) // u)
        if (width, height) == (tensor.width, tensor.height):
            return 2 * width, 2 * height
        while (-(-width // 2), -(-height // 2)) != (tensor.width, tensor.height):
            width, height = -(-width // 2), -(-height // 2)
        return width, height

    def shuffle(self, op, name, tensor):
        width, height = self.above(tensor)
        channels = [
            [[tensor.channels[c + 2 * (y % 2) + x % 2][y // 2][x // 2] for x in range(width)] for y in range(height)]
            for c in range(0, len(tensor.channels), 4)
        ]
        return Tensor(channels, tensor.zero)

    def follow(self, op, name, tensor):
        dx, dy = self.pan
        channels = [
            [[at(p, x + dx, y + dy) for x in range(tensor.width)] for y in range(tensor.height)] for p in tensor.channels
        ]
        return Tensor(channels, tensor.zero)

    def pool(self, op, name, tensor):
        def value(plane, x, y):
            around = [(2 * x + i, 2 * y + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            inside = [plane[j][i] for i, j in around if not is_outside(plane, i, j)]
            if op["of"] == "max":
                return max(inside)
            return (2 * (sum(inside) + (9 - len(inside)) * tensor.zero) + 9) // 18

        width, height = -(-tensor.width // 2), -(-tensor.height // 2)
        channels = [[[value(p, x, y) for x in range(width)] for y in range(height)] for p in tensor.channels]
        return Tensor(channels, tensor.zero)

    def modulate(self, op, name, v, gate, b):
        table, (mult_v, mult_b) = self.model.array(f"{name}.table"), op["mult"]

        def value(p, g, q):
            total = mulhrs(((p - v.zero) * table[g] + 2) >> 2, mult_v) + mulhrs((q - b.zero) << 6, mult_b)
            return clamp(op["zero"] + ((total + 16) >> 5), 0, op["max"])

        channels = [
            [[value(*values) for values in zip(*rows)] for rows in zip(*planes)]
            for planes in zip(v.channels, gate.channels, b.channels)
        ]
        return Tensor(channels, op["zero"])

    def attention(self, op, name, a, b, v):
        table = self.model.array(f"{name}.table")

        def factor(x, y):
            dot = sum((p[y][x] - a.zero) * (q[y][x] - b.zero) for p, q in zip(a.channels, b.channels))
            t = sat16((dot + rounding(op["shift"])) >> op["shift"])
            return table[clamp(mulhrs(t, op["mult"]) + 128, 0, 255)]

        factors = [[factor(x, y) for x in range(v.width)] for y in range(v.height)]
        channels = [
            [[v.zero + (((p - v.zero) * m + 128) >> 8) for p, m in zip(row, ms)] for row, ms in zip(plane, factors)]
            for plane in v.channels
        ]
        return Tensor(channels, v.zero)

    def head(self, op, name, residual):
        scale, depth = self.model.scale, self.depth
        height, width = scale * len(self.centre[0]), scale * len(self.centre[0][0])
        shuffle = -(-width // residual.width)
        taps = LINEAR if op.get("base") == "linear" else TAPS
        phase = -4 if scale == 2 else -6

        def position(i):
            return divmod(16 * i // scale + phase, 16)

        def base(plane, x, y):
            (ix, fx), (iy, fy) = position(x), position(y)

            def column(i):
                total = sum(taps[fy][j] * at(plane, ix - 1 + i, iy - 1 + j) for j in range(4))
                return (total + rounding(depth - 7)) >> (depth - 7)

            return sum(taps[fx][i] * column(i) for i in range(4))

        def value(number, plane, x, y):
            channel = (number * shuffle + y % shuffle) * shuffle + x % shuffle
            r = residual.channels[channel][y // shuffle][x // shuffle]
            total = base(plane, x, y) + (r << 7) + rounding(21 - depth)
            return clamp(total >> (21 - depth), 0, (1 << depth) - 1)

        return [
            [[value(number, plane, x, y) for x in range(width)] for y in range(height)]
            for number, plane in enumerate(self.centre)
        ]


def catmull_rom():
    """The 16 rows of four coefficients in 1/128."""
    rows = []
    for i in range(9):
        t = i / 16
        outer, right, far = (-t + 2 * t**2 - t**3) / 2, (t + 4 * t**2 - 3 * t**3) / 2, (t**3 - t**2) / 2
        a, c, d = (round(128 * w) for w in (outer, right, far))
        rows.append([a, 128 - a - c - d, c, d])
    return rows + [row[::-1] for row in rows[7:0:-1]]


TAPS = catmull_rom()
LINEAR = [[0, 128 - 8 * i, 8 * i, 0] for i in range(16)]


def make_frames(count, planes, width, height, depth):
    """Moving waves and noise over the whole range: frames of planes."""
    rng = random.Random(7)
    top = (1 << depth) - 1
    return [
        [
            [
                [
                    clamp(top * ((x + 2 * t) // 3 % 2 + (y + t) // 4 % 2) // 2 + rng.randint(-top // 4, top // 4), 0, top)
                    for x in range(width)
                ]
                for y in range(height)
            ]
            for plane in range(planes)
        ]
        for t in range(count)
    ]


def make_pan(count, planes, width, height, depth):
    """A camera that turns."""
    top = (1 << depth) - 1
    wide, high = width + 3 * count, height + 2 * count
    rng = random.Random(7)
    picture = [[rng.randint(0, top) for _ in range(wide)] for _ in range(high)]
    return [[[row[3 * t : 3 * t + width] for row in picture[2 * t : 2 * t + height]]] * planes for t in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("enlarge_raw")
    parser.add_argument("model")
    parser.add_argument("--size", default="10x7")
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--lookahead", type=int, default=1)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--pan", action="store_true", help="a camera that turns; enough for 8 bits and 64 samples")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    model = Model(args.model)
    frames = (make_pan if args.pan else make_frames)(args.frames, model.planes, width, height, args.depth)

    code = "B" if args.depth == 8 else "H"
    raw = b"".join(array(code, row).tobytes() for frame in frames for plane in frame for row in plane)
    wrapper = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))
    command = [*wrapper, args.enlarge_raw, args.model, *map(str, (width, height, args.depth, args.lookahead))]
    result = array(code, subprocess.run(command, input=raw, stdout=subprocess.PIPE, check=True).stdout)
    size = model.planes * width * height * model.scale**2
    if len(result) != size * len(frames):
        sys.exit(f"{len(result)} samples came out, not {size} for each of {len(frames)} frames")

    interpreter = Interpreter(model, args.depth)
    half = model.window // 2
    for t in range(len(frames)):
        last = min(t + min(args.lookahead, half), len(frames) - 1)
        window = [frames[clamp(i, 0, last)] for i in range(t - half, t + half + 1)]
        expected = [p for plane in interpreter.run(window, half) for row in plane for p in row]
        got = result[t * size : (t + 1) * size].tolist()
        if got != expected:
            first = next(i for i in range(size) if got[i] != expected[i])
            wrong = sum(p != q for p, q in zip(got, expected))
            x, y = first % (width * model.scale), first // (width * model.scale)  # of all planes, one below the other
            sys.exit(f"frame {t}: {wrong} pixels differ, first ({x}, {y}): {got[first]}, not {expected[first]}")
    print(f"{len(frames)} frames are the same")


if __name__ == "__main__":
    main()
