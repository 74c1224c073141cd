"""A model file as a QuantNet again, for what is done to models without their checkpoint."""

import dataclasses
import json

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from .graph import Graph, Op
from .quant import WEIGHT_MAX, QuantNet, per_channel, value_input

FIELDS = {field.name for field in dataclasses.fields(Op)} - {"op", "out", "channels", "quads"}


class ModelError(Exception):
    """A model file that cannot be read back; says why and what to do."""


def read(file):
    """(metadata, arrays) of a model file."""
    try:
        with safe_open(str(file), "numpy") as model:
            metadata = model.metadata() or {}
            arrays = {name: model.get_tensor(name) for name in model.keys()}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file} is not a model file ({error}): give a .safetensors file of compress.export.") from error
    if "dssr.graph" not in metadata:
        raise ModelError(f"{file} is not a model of dssr: give a .safetensors file of compress.export.")
    if "dssr.scales" not in metadata:
        raise ModelError(
            f"{file} does not say what its integers stand for (dssr.scales): export it anew from its checkpoint with "
            "this version's compress.export."
        )
    if "align_centre" in json.loads(metadata["dssr.graph"]):
        raise ModelError(f"{file} is imported: import its checkpoint once more, with other footage as --video.")
    return metadata, arrays


def restore(file):
    """(QuantNet, metadata) of a model file: the same integers when it is exported again."""
    metadata, arrays = read(file)
    graph = Graph(int(metadata["dssr.scale"]), int(metadata["dssr.window"]))
    fields = {}
    for stage, operations in json.loads(metadata["dssr.graph"]).items():
        for entry in operations:
            fields[entry["out"]] = entry
            known = {name: value for name, value in entry.items() if name in FIELDS}
            op = Op(entry["op"], entry["out"], entry["in"], 0, **known)
            getattr(graph, stage).append(op)
            op.channels = _channels(op, entry, graph.tensors(stage))
    net = QuantNet(graph)
    scales = json.loads(metadata["dssr.scales"])
    with torch.no_grad():
        for op in graph.operations():
            if hasattr(net, f"range_{op.out}"):
                zero, scale = fields[op.out]["zero"], scales[op.out]
                bounds = torch.tensor([-zero * scale, (op.max - zero) * scale])
                getattr(net, f"range_{op.out}").copy_(bounds)

        def visit(stage, op, inputs):
            if op.op == "conv":
                _restore_conv(net, op, inputs, fields[op.out], arrays, f"{stage}.{op.out}")
            elif hasattr(net, f"gate_{op.out}"):
                like = inputs[value_input(op)].scale
                getattr(net, f"gate_{op.out}").fill_(scales.get(op.out, like) / like)  # older files have no scale here

        net.walk(visit)
    return net, metadata


def _channels(op, entry, table):
    if op.op == "conv":
        return entry["channels"]
    if op.op == "input":
        return op.unshuffle**2
    like = table[op.inputs[value_input(op)]].channels
    return like * op.kernel**2 if op.op == "deform" else like


def unpack_bits(stream, bits, count):
    """What export.pack_bits packed: `count` values."""
    fields = np.unpackbits(stream, count=count * bits, bitorder="little").reshape(count, bits).astype(np.int64)
    values = fields @ (1 << np.arange(bits))
    return values - ((values >> (bits - 1)) << bits)


def _restore_conv(net, op, inputs, fields, arrays, name):
    conv = net.convs[op.out]
    rows, taps, widths = -(-op.channels // 4) * 4, op.kernel**2, [-(-i.channels // 4) * 4 for i in inputs]
    dense = np.zeros((rows * taps * sum(widths) // 4, 4), np.int64)
    present = np.ones(len(dense), bool)
    if f"{name}.mask" in arrays:
        present = np.unpackbits(arrays[f"{name}.mask"], count=len(dense), bitorder="little").astype(bool)
    stored = arrays[f"{name}.weight"]
    values = stored if op.bits == 8 else unpack_bits(stored, op.bits, 4 * present.sum())
    dense[present] = values.reshape(-1, 4)
    dense = dense.reshape(rows, taps, -1)[: op.channels]
    starts = np.cumsum([0, *widths[:-1]])
    parts = [dense[:, :, start : start + i.channels] for start, i in zip(starts, inputs)]
    weight = torch.from_numpy(np.concatenate(parts, 2).transpose(0, 2, 1).copy()).float().view_as(conv.weight)

    in_scale = per_channel(inputs, [i.scale for i in inputs], weight.device)
    in_zero = per_channel(inputs, [float(i.zero) for i in inputs], weight.device)
    mult, bias = (torch.from_numpy(arrays[f"{name}.{kind}"].astype(np.float64))[: op.channels] for kind in ("mult", "bias"))
    row = mult / 2 ** (15 + fields["shift"]) * net.output_format(op)[0]
    conv.weight.copy_(weight * row.view(-1, 1, 1, 1) / in_scale)
    conv.bias.copy_((bias + (weight * in_zero).sum((1, 2, 3))) * row)
    largest = weight.abs().amax((1, 2, 3)).clamp(min=1)
    getattr(net, f"clip_{op.out}").copy_(WEIGHT_MAX[op.bits] / largest)
