"""Writes a quantised network as a model file (docs/model-file.md).

    python3 -m compress.export --checkpoint build/x4-int.pt \\
        --scene landscape --rung balanced --out models/landscape-x4-balanced.safetensors
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from .graph import SPARSE_BELOW, STAGES
from .quant import QuantNet, sigmoid_table
from .train import load


def padded(count):
    return -(-count // 4) * 4


def pack_bits(values, bits):
    """Two's complement fields of `bits` bits, as a little-endian stream of bytes."""
    fields = (values.reshape(-1, 1).astype(np.int64) >> np.arange(bits)) & 1
    return np.packbits(fields.astype(np.uint8).reshape(-1), bitorder="little")


def without_zeros(dense):
    """(weights, mask) of int8 weights (outputs, taps, inputs): quads that are 0 left out, if engines can skip them."""
    quads = dense.reshape(-1, 4)
    present = quads.any(1)
    if present.mean() >= SPARSE_BELOW:
        return dense, None
    return quads[present], np.packbits(present, bitorder="little")


class Exporter:
    """Walks the graph as the network does, with scales and zero points in place of pictures."""

    def __init__(self, net):
        self.net, self.graph = net, net.graph
        self.tensors, self.stages, self.scales = {}, {stage: [] for stage in STAGES}, {}

    def run(self):
        self.net.walk(self._operation)
        if self.graph.align_centre:
            self.stages["align_centre"] = True
        return self.stages, self.tensors, self.scales

    def _operation(self, stage, op, inputs):
        fields = {"op": op.op, "out": op.out, "in": list(op.inputs)}
        getattr(self, "_" + op.op)(op, inputs, fields, f"{stage}.{op.out}")
        self.stages[stage].append(fields)

    def _input(self, op, inputs, fields, name):
        fields["unshuffle"] = op.unshuffle

    @staticmethod
    def _set_border(op, fields):
        if op.border != "edge":
            fields["border"] = op.border

    def _conv(self, op, inputs, fields, name):
        p = self.net.conv_parameters(op, inputs)
        self._set_border(op, fields)
        fields.update(
            channels=op.channels, kernel=op.kernel, stride=op.stride, act=op.act, bits=op.bits, shift=p["shift"],
            wide=op.wide,
        )
        if not op.wide:
            fields.update(zero=p["zero"], max=p["max"])
            self.scales[op.out] = p["scale"]
        weight = p["weight"].detach().cpu().numpy().round().astype(np.int8)
        rows, taps = padded(op.channels), op.kernel**2
        blocks, first = [], 0
        for i in inputs:
            block = np.zeros((rows, taps, padded(i.channels)), np.int8)
            part = weight[:, first : first + i.channels].reshape(op.channels, i.channels, taps)
            block[: op.channels, :, : i.channels] = part.transpose(0, 2, 1)
            blocks.append(block)
            first += i.channels
        values, mask = without_zeros(np.concatenate(blocks, 2))
        self.tensors[f"{name}.weight"] = values if op.bits == 8 else pack_bits(values, op.bits)
        if mask is not None:
            self.tensors[f"{name}.mask"] = mask
        for kind, dtype in (("bias", np.int32), ("mult", np.int16), ("mult_neg", np.int16)):
            if kind != "mult_neg" or op.act == "leaky":
                values = np.zeros(rows, dtype)
                values[: op.channels] = p[kind].detach().cpu().numpy().round()
                self.tensors[f"{name}.{kind}"] = values

    def _add(self, op, inputs, fields, name):
        mult, self.scales[op.out], zero = self.net.add_parameters(op, *inputs)
        fields.update(mult=mult, zero=zero, max=op.max)

    def _up2(self, op, inputs, fields, name):
        pass

    def _shuffle(self, op, inputs, fields, name):
        pass

    def _follow(self, op, inputs, fields, name):
        pass

    def _pool(self, op, inputs, fields, name):
        fields["of"] = op.of

    def _modulate(self, op, inputs, fields, name):
        table, mult, self.scales[op.out], zero = self.net.modulate_parameters(op, *inputs)
        fields.update(mult=mult, zero=zero, max=op.max)
        self.tensors[f"{name}.table"] = table.cpu().numpy().astype(np.uint8)

    def _deform(self, op, inputs, fields, name):
        fields.update(kernel=op.kernel, groups=op.groups, limit=op.limit)
        self._set_border(op, fields)
        self._gates(op, inputs, name)

    def _attention(self, op, inputs, fields, name):
        fields["shift"], fields["mult"] = self.net.attention_parameters(*inputs[:2])
        self._gates(op, inputs, name)

    def _head(self, op, inputs, fields, name):
        if self.graph.base != "bicubic":
            fields["base"] = self.graph.base

    def _gates(self, op, inputs, name):
        self.scales[op.out] = self.net.shape(op, inputs).scale
        self.tensors[f"{name}.table"] = sigmoid_table(self.net.greatest(op)).numpy().astype(np.uint8)


def export(net, file, scene, rung_name, provenance):
    """Writes `net` to `file`. `provenance` is a dictionary for people: training data, tools, measurements."""
    stages, tensors, scales = Exporter(net).run()
    metadata = {
        "dssr.version": "1",
        "dssr.scale": str(net.graph.scale),
        "dssr.window": str(net.graph.window),
        "dssr.scene": scene,
        "dssr.rung": rung_name,
        "dssr.provenance": json.dumps(provenance),
        "dssr.graph": json.dumps(stages),
        "dssr.scales": json.dumps(scales),
    }
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, file, metadata)
    Path(file).chmod(0o644)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="written by compress.quantise")
    parser.add_argument("--scene", choices=("landscape", "portrait"), required=True)
    parser.add_argument("--rung", choices=("quality", "balanced", "saver"), required=True)
    parser.add_argument("--room", type=float, default=1.0, help="how many times as wide the ranges of activations become: "
                        "strong pictures gain, as less is cut off, and faint ones lose")  # fmt: skip
    parser.add_argument("--provenance", type=Path, help="JSON file with what else is to be recorded")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    net, state = load(args.checkpoint, QuantNet)
    net.widen_ranges(args.room)
    provenance = {
        "tools": f"dssr compress, PyTorch {torch.__version__}, Python {platform.python_version()}",
        "fine_tuning": {"seconds": round(state["seconds"]), "steps": state["step"]},
    }
    if args.provenance:
        provenance.update(json.loads(args.provenance.read_text()))
    export(net, args.out, args.scene, args.rung, provenance)
    print(f"{args.out}: {args.out.stat().st_size} bytes, {net.graph.macs():.0f} MACs per output pixel")


if __name__ == "__main__":
    main()
