"""One runtime at work, in a process of its own: runtimes.py RUNTIME PRECISION THREADS FOLDER.

Loads the network that model.py and int8.py wrote, says how near its pictures are to PyTorch's, then makes as many
frames as each line of the standard input asks for, and answers with their times. Its pictures and features stay in the
runtime's own buffers: converting them is not timed.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import sys
import time
from pathlib import Path

import numpy as np

WARM_UP = 2


class OnnxRuntime:
    files = {'float': 'step.onnx', 'int8': 'step-int8.onnx'}

    def __init__(self, file, threads, frames):
        import onnxruntime as ort

        self.version = ort.__version__
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = ort.InferenceSession(str(file), options, providers=['CPUExecutionProvider'])
        inputs = {i.name: i.shape for i in self.session.get_inputs()}
        self.names = [n.split('.')[1] for n in inputs if n.startswith('now.')]
        self.frames = [ort.OrtValue.ortvalue_from_numpy(f[None, None]) for f in frames]
        self.features = [
            {n: ort.OrtValue.ortvalue_from_numpy(np.zeros(inputs[f'now.{n}'], np.float32)) for n in self.names}
            for _ in range(3)
        ]
        shape = self.session.get_outputs()[0].shape
        self.out = ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))
        self.binding = self.session.io_binding()

    def step(self, number, following, current):
        past, now, new = (self.features[(number + i) % 3] for i in range(3))
        binding = self.binding
        binding.bind_ortvalue_input('luma_next', self.frames[following])
        binding.bind_ortvalue_input('luma', self.frames[current])
        binding.bind_ortvalue_output('picture', self.out)
        for n in self.names:
            binding.bind_ortvalue_input(f'past.{n}', past[n])
            binding.bind_ortvalue_input(f'now.{n}', now[n])
            binding.bind_ortvalue_output(f'next.{n}', new[n])
        self.session.run_with_iobinding(binding)

    def picture(self):
        return self.out.numpy()[0, 0]


class OpenVino:
    files = {'float': 'step.onnx', 'int8': 'step-int8.xml'}

    def __init__(self, file, threads, frames):
        import openvino as ov

        self.version = ov.__version__.split('-')[0]
        options = {
            'INFERENCE_NUM_THREADS': threads, 'NUM_STREAMS': 1, 'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_PRECISION_HINT': 'f32',
        }
        model = ov.Core().compile_model(str(file), 'CPU', options)
        self.request = model.create_infer_request()
        shapes = {i.any_name: i.shape for i in model.inputs}
        self.names = [n.split('.')[1] for n in shapes if n.startswith('now.')]
        self.frames = [ov.Tensor(np.ascontiguousarray(f[None, None])) for f in frames]
        self.features = [
            {n: ov.Tensor(np.zeros(shapes[f'now.{n}'], np.float32)) for n in self.names} for _ in range(3)
        ]

    def step(self, number, following, current):
        past, now, new = (self.features[(number + i) % 3] for i in range(3))
        request = self.request
        request.set_tensor('luma_next', self.frames[following])
        request.set_tensor('luma', self.frames[current])
        for n in self.names:
            request.set_tensor(f'past.{n}', past[n])
            request.set_tensor(f'now.{n}', now[n])
            request.set_tensor(f'next.{n}', new[n])
        request.infer()

    def picture(self):
        return self.request.get_tensor('picture').data[0, 0]


class Ncnn:
    files = {'float': 'step_split.ncnn.param'}

    def __init__(self, file, threads, frames):
        import ncnn

        self.version = ncnn.__version__
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.load_param(str(file))
        self.net.load_model(str(file.with_suffix('.bin')))
        self.arrays = [np.ascontiguousarray(f[None]) for f in frames]  # a Mat does not hold its array
        self.frames = [ncnn.Mat(a).clone() for a in self.arrays]
        # pnnx names tensors by their order: luma_next, luma, three of the past, three of now; picture, three of next.
        height, width = frames[0].shape
        halves = [(-(-height // 2**i), -(-width // 2**i)) for i in range(3)]
        zeros = [np.zeros((16, *half), np.float32) for half in halves]
        self.past = self.now = [ncnn.Mat(z).clone() for z in zeros]
        self.out = None

    def step(self, number, following, current):
        extractor = self.net.create_extractor()
        for i, mat in enumerate((self.frames[following], self.frames[current], *self.past, *self.now)):
            extractor.input(f'in{i}', mat)
        new = [extractor.extract(f'out{i}')[1] for i in (1, 2, 3)]
        self.out = extractor.extract('out0')[1]
        self.past, self.now = self.now, new

    def picture(self):
        return np.array(self.out)[0]


RUNTIMES = {'onnxruntime': OnnxRuntime, 'openvino': OpenVino, 'ncnn': Ncnn}


class Stream:
    """Goes through the frames to and fro, as dssr-bench does."""

    def __init__(self, runtime, count):
        self.runtime, self.count, self.number = runtime, count, 0

    def frame(self, number):
        i = number % (2 * self.count - 2)
        return min(i, 2 * self.count - 2 - i)

    def step(self):
        """Sees frame `number` and enlarges the one before it."""
        self.runtime.step(self.number, self.frame(self.number), self.frame(max(self.number - 1, 0)))
        self.number += 1


def check(stream, expected):
    """(largest error, PSNR in dB) of the first enlarged pictures against PyTorch's in floating point."""
    for _ in range(2):
        stream.step()
    errors = []
    for picture in expected:
        stream.step()
        errors.append(stream.runtime.picture() - picture)
    errors = np.abs(np.stack(errors))
    return float(errors.max()), float(-10 * np.log10(np.mean(errors**2)))


def peak_memory():
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) * 1024 / 1e6


def main():
    name, precision, threads, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    data = np.load(folder / 'frames.npz')
    kind = RUNTIMES[name]
    runtime = kind(folder / kind.files[precision], threads, data['frames'].astype(np.float32) / 255)
    stream = Stream(runtime, len(data['frames']))
    error, psnr = check(stream, data['expected'])
    print(json.dumps({'version': runtime.version, 'error': error, 'psnr': psnr}), flush=True)
    for line in sys.stdin:
        for _ in range(WARM_UP):
            stream.step()
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            stream.step()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps({'ms': times, 'peak_rss_mb': peak_memory()}), flush=True)


if __name__ == '__main__':
    main()
