"""Quantises step.onnx to 8 bits with the tools that onnxruntime and OpenVINO come with: int8.py FOLDER.

Also converts step-split.onnx for ncnn, which has no tools for 8 bits among its packages.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np


def windows(folder):
    """Inputs of the network, as it meets them in a stream, made by onnxruntime."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(folder / 'step.onnx'), providers=['CPUExecutionProvider'])
    frames = np.load(folder / 'frames.npz')['frames'].astype(np.float32)[:, None, None] / 255
    shapes = {i.name: i.shape for i in session.get_inputs()}
    names = [n.split('.')[1] for n in shapes if n.startswith('now.')]
    past = now = [np.zeros(shapes[f'now.{n}'], np.float32) for n in names]
    result = []
    for i in range(6):
        inputs = {'luma_next': frames[i], 'luma': frames[max(i - 1, 0)]}
        inputs.update({f'past.{n}': p for n, p in zip(names, past)})
        inputs.update({f'now.{n}': p for n, p in zip(names, now)})
        _, *new = session.run(None, inputs)
        past, now = now, new
        if i >= 2:
            result.append(inputs)
    return result


def base_nodes(model):
    """The convolution that is the bicubic base, and what adds it: 8 bits would show in the picture."""
    weights = {i.name: i.dims for i in model.graph.initializer}
    base = [n for n in model.graph.node if n.op_type == 'Conv' and list(weights.get(n.input[1], []))[2:] == [5, 5]]
    adds = [n for n in model.graph.node if n.op_type == 'Add' and base[0].output[0] in n.input]
    return [n.name for n in base + adds]


def quantise_onnxruntime(folder, inputs):
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rest = iter(inputs)

        def get_next(self):
            return next(self.rest, None)

    prepared = folder / 'step-prepared.onnx'
    quant_pre_process(str(folder / 'step.onnx'), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared), str(folder / 'step-int8.onnx'), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        nodes_to_exclude=base_nodes(onnx.load(prepared)),
    )


def quantise_openvino(folder, inputs):
    import nncf
    import openvino as ov

    model = ov.Core().read_model(str(folder / 'step.onnx'))
    quantised = nncf.quantize(model, nncf.Dataset(inputs), preset=nncf.QuantizationPreset.MIXED)
    ov.save_model(quantised, str(folder / 'step-int8.xml'), compress_to_fp16=False)


def convert_ncnn(folder):
    import ncnn

    pnnx = Path(ncnn.__file__).parent.parent / 'pnnx' / 'pnnx'
    subprocess.run([pnnx, 'step-split.onnx', 'fp16=0'], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def main():
    folder = Path(sys.argv[1])
    logging.disable(logging.INFO)
    inputs = windows(folder)
    quantise_onnxruntime(folder, inputs)
    quantise_openvino(folder, inputs)
    convert_ncnn(folder)


if __name__ == '__main__':
    main()
