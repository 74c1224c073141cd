#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a small random model for tests: EDVR's shape, every operation, sensible ranges.

Its pictures are noise over the bicubic base; with --zero-residual they are the base itself.
"""

import argparse
import json
import math
import random
import struct


def quads(channels):
    return -(-channels // 4)


class Builder:
    def __init__(self, scale=2, seed=1, window=3, unshuffle=1, bits=8, sparse=False, zero_residual=False,
                 cascade=False, follow=False, published=False, channels=(8, 12)):
        self.rng = random.Random(seed)
        self.scale, self.window, self.unshuffle = scale, window, unshuffle
        self.bits, self.sparse, self.zero_residual, self.cascade = bits, sparse, zero_residual, cascade
        self.follow, self.published, self.widths = follow, published, channels
        self.planes = 3 if published else 1
        self.aligned = window if published else window - 1
        self.border = {"border": "zero"} if published else {}
        self.graph = {"frame": [], "align": [], "fuse": []}
        if published:
            self.graph["align_centre"] = True
        self.arrays = {}  # name: (dtype, shape, bytes)
        self.dense = {}  # weights of each output, by "stage.name"
        self.channels = {}  # of each tensor, by (stage, name)
        self.build()

    def metadata(self):
        provenance = {"training data": "none: random numbers", "tools": {"tests/make_model.py": 1}}
        return {
            "dssr.version": "1",
            "dssr.scale": str(self.scale),
            "dssr.window": str(self.window),
            "dssr.scene": "landscape",
            "dssr.rung": "test",
            "dssr.provenance": json.dumps(provenance),
            "dssr.graph": json.dumps(self.graph, separators=(",", ":")),
        }

    def channels_of(self, stage, name):
        if "." in name:
            prefix, name = name.split(".")
            stage = "align" if stage == "fuse" and prefix != "ref" else "frame"
        return self.channels[stage, name]

    def add(self, stage, op, out, inputs, made, **fields):
        self.channels[stage, out] = made
        self.graph[stage].append({"op": op, "out": out, "in": inputs, **fields})
        return out

    def array(self, stage, out, kind, dtype, shape, data):
        self.arrays[f"{stage}.{out}.{kind}"] = (dtype, shape, data)

    def table(self, stage, out):
        sigmoid = [min(255, round(256 / (1 + math.exp(-(i - 128) / 24)))) for i in range(256)]
        self.array(stage, out, "table", "U8", [256], bytes(sigmoid))

    def weights(self, stage, out, shape):
        """Random weights, as stored; returns them dense: [output][tap][input]."""
        outputs, taps, inputs = shape
        limit = (1 << (self.bits - 1)) - 1
        count = outputs * taps * inputs // 4
        kept = [not self.sparse or self.rng.random() < 0.4 for _ in range(count)]
        values, stored = [], []
        for keep in kept:
            quad = [self.rng.randint(-limit - 1, limit) if keep else 0 for _ in range(4)]
            values += quad
            stored += quad if keep else []
        if self.sparse:
            mask = bytearray((count + 7) // 8)
            for i, keep in enumerate(kept):
                mask[i >> 3] |= keep << (i & 7)
            self.array(stage, out, "mask", "U8", [len(mask)], bytes(mask))
        if self.bits == 8:
            data = struct.pack(f"{len(stored)}b", *stored)
            self.array(stage, out, "weight", "I8", [len(stored) // 4, 4] if self.sparse else list(shape), data)
        else:
            stream = sum((v & (1 << self.bits) - 1) << self.bits * i for i, v in enumerate(stored))
            data = stream.to_bytes((len(stored) * self.bits + 7) // 8, "little")
            self.array(stage, out, "weight", "U8", [len(data)], data)
        row = taps * inputs
        rows = [values[o * row : (o + 1) * row] for o in range(outputs)]
        self.dense[f"{stage}.{out}"] = rows
        return rows

    def conv(self, stage, out, inputs, channels, kernel=3, stride=1, act="leaky", wide=False, spread=45, max_out=255):
        """A convolution whose outputs spread around their zero point; wide ones by `spread` of each channel."""
        out4 = 4 * quads(channels)
        in4 = 4 * sum(quads(self.channels_of(stage, i)) for i in inputs)
        rows = self.weights(stage, out, (out4, kernel * kernel, in4))
        # The lanes that pad the last quad are noise too: a reader has to silence them.
        spreads = spread if isinstance(spread, list) else [spread * max_out / 255 if not wide else spread] * out4
        bias, mult, deviation = [], [], []
        for row in rows:
            deviation.append(70 * math.sqrt(sum(w * w for w in row)) + 1)
            bias.append(-sum(row) * 110 + round(self.rng.gauss(0, deviation[-1] / 4)))
        shift = max(0, math.ceil(math.log2(4 * max(deviation) / 32768)))
        for o in range(out4):
            mult.append(min(32767, round(32768 * spreads[o] * 2**shift / deviation[o])))
        self.array(stage, out, "bias", "I32", [out4], struct.pack(f"<{out4}i", *bias))
        self.array(stage, out, "mult", "I16", [out4], struct.pack(f"<{out4}h", *mult))
        if act == "leaky":
            self.array(stage, out, "mult_neg", "I16", [out4], struct.pack(f"<{out4}h", *(m // 8 for m in mult)))
        fields = dict(channels=channels, kernel=kernel, stride=stride, act=act, bits=self.bits, shift=shift, wide=wide,
                      **self.border)
        if not wide:
            zero = {"none": 128, "relu": 0, "leaky": 24}[act]
            fields.update(zero=zero * max_out // 255, max=max_out)
        return self.add(stage, "conv", out, inputs, channels, **fields)

    def block(self, stage, x, name, channels):
        self.conv(stage, f"{name}a", [x], channels, act="relu", max_out=15 if self.bits == 4 else 255)
        self.conv(stage, f"{name}b", [f"{name}a"], channels, act="none")
        mult = [self.rng.randint(9000, 16384), self.rng.randint(6000, 20000)]
        return self.add(stage, "add", name, [x, f"{name}b"], channels, mult=mult, zero=40, max=255)

    def level(self, n, feature, channels, offset_channels, taps, coarser):
        """One level of alignment; `coarser` is the aligned feature of the level below."""
        neighbour = "moved" if self.follow and n == 1 else f"nbr.{feature}"
        inputs = [neighbour, f"ref.{feature}"]
        if coarser:
            coarse = self.channels["align", f"off{n + 1}"]
            inputs.append(self.add("align", "up2", f"offup{n}", [f"off{n + 1}"], coarse))
        self.conv("align", f"off{n}", inputs, offset_channels)
        groups, k = channels // 4, taps * taps
        spread = [40] * (2 * k * groups) + [50] * (k * groups + 3)
        self.conv("align", f"offset{n}", [f"off{n}"], 3 * k * groups, 1, act="none", wide=True, spread=spread)
        sampled = f"sampled{n}"
        inputs = [neighbour, f"offset{n}"]
        self.add("align", "deform", sampled, inputs, channels * k, kernel=taps, groups=groups, limit=128, **self.border)
        self.table("align", sampled)
        aligned = self.conv("align", f"dcn{n}", [sampled], channels, 1)
        if coarser:
            up = self.add("align", "up2", f"alignedup{n}", [coarser], self.channels["align", coarser])
            aligned = self.conv("align", f"merged{n}", [aligned, up], channels, 1)
        return aligned

    def sample_again(self, aligned, channels):
        """EDVR's last alignment: what is aligned so far is itself sampled."""
        self.conv("align", "offcas", [aligned, "ref.block"], 6)
        self.conv("align", "offsetcas", ["offcas"], 3 * channels // 4, 1, act="none", wide=True, spread=50)
        self.add("align", "deform", "sampledcas", [aligned, "offsetcas"], channels, kernel=1, groups=channels // 4,
                 limit=90, **self.border)
        self.table("align", "sampledcas")
        return self.conv("align", "cascaded", ["sampledcas"], channels, 1)

    def build(self):
        c1, c2 = self.widths
        source = "rgb" if self.published else "luma"
        self.add("frame", "input", "x", [source], self.planes * self.unshuffle**2, unshuffle=self.unshuffle)
        self.conv("frame", "head", ["x"], c1)
        self.block("frame", "head", "block", c1)
        self.conv("frame", "down2", ["block"], c2, stride=2)
        self.conv("frame", "down3", ["down2"], c2, kernel=1, stride=2)
        if self.follow:
            self.add("align", "follow", "moved", ["nbr.block"], c1)
        if self.window > 1:
            aligned = self.level(3, "down3", c2, 5, 3, None)
            aligned = self.level(2, "down2", c2, 8, 1, aligned)
            aligned = self.level(1, "block", c1, 6, 1, aligned)
            if self.cascade:
                aligned = self.sample_again(aligned, c1)
            self.conv("align", "emb", [aligned], 5, 1, act="none")
            self.conv("fuse", "embref", ["ref.block"], 5, 1, act="none")
        attended = []
        for i in range(self.aligned):
            out = f"att{i}"
            self.add("fuse", "attention", out, [f"nbr{i}.emb", "embref", f"nbr{i}.{aligned}"], c1, shift=6, mult=3000)
            self.table("fuse", out)
            attended.append(out)
        half = len(attended) // 2
        self.conv("fuse", "fused", attended[:half] + ["ref.block"] + attended[half:], c1, 1)
        last = "fused"
        if self.published:
            last = self.attend_in_space("fused", c1)
        self.block("fuse", last, "recon", c1)
        shuffle, last = self.scale * self.unshuffle, "recon"
        if self.published:  # channels are no multiple of 4: the last quad is padded
            self.conv("fuse", "wide", ["recon"], 24, 1)
            last = self.add("fuse", "shuffle", "shuffled", ["wide"], 6)
            shuffle //= 2
        residuals = self.planes * shuffle**2
        spread = 0 if self.zero_residual else 300
        self.conv("fuse", "residual", [last], residuals, act="none", wide=True, spread=spread)
        self.add("fuse", "head", "out", ["residual"], residuals, **({"base": "linear"} if self.published else {}))

    def attend_in_space(self, x, channels):
        """EDVR's attention of a coarser level: pooled, enlarged, and a factor of what it was made of."""
        for of in ("max", "average"):
            self.add("fuse", "pool", of, [x], channels, of=of)
        self.conv("fuse", "coarse", ["max", "average"], channels, 1)
        self.add("fuse", "up2", "gate", ["coarse"], channels)
        self.conv("fuse", "shift", ["gate"], channels, 1, act="none")
        self.add("fuse", "modulate", "modulated", [x, "gate", "shift"], channels, mult=[22000, 7000], zero=50, max=255)
        self.table("fuse", "modulated")
        return "modulated"


def pack(metadata, arrays):
    """The bytes of a safetensors file."""
    header, data = {"__metadata__": metadata}, b""
    # The largest elements first keeps all of them aligned.
    for name, (dtype, shape, content) in sorted(arrays.items(), key=lambda a: "I32 I16 I8 U8".find(a[1][0])):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--window", type=int, choices=(1, 3, 5, 7), default=3)
    parser.add_argument("--unshuffle", type=int, choices=(1, 2, 4), default=1)
    parser.add_argument("--bits", type=int, choices=(8, 6, 4), default=8, help="of a weight")
    parser.add_argument("--channels", type=int, nargs=2, default=(8, 12), metavar=("FULL", "COARSE"),
                        help="of features at full size and of the coarser levels: multiples of 4")
    parser.add_argument("--sparse", action="store_true", help="leaves out quads of weights")
    parser.add_argument("--cascade", action="store_true", help="samples what is aligned once more")
    parser.add_argument("--follow", action="store_true", help="shifts neighbours by the pan")
    parser.add_argument("--published", action="store_true", help="RGB, and what else EDVR has that the others leave out")
    parser.add_argument("--zero-residual", action="store_true", help="the picture is the bicubic base")
    args = vars(parser.parse_args())
    out = args.pop("out")
    model = Builder(**args)
    with open(out, "wb") as file:
        file.write(pack(model.metadata(), model.arrays))


if __name__ == "__main__":
    main()
