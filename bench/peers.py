"""dssr and other runtimes on the same network, side by side.

    build/peers-venv/bin/python bench/peers.py --folder build/peers --size 480x270 --threads 1 2 --json FILE

bench/run.sh prepares the folder (model.py, int8.py) and calls this. Each runtime is a process of its own, which waits
while others work; all take turns, so that what disturbs the machine disturbs all. A figure is the median of the rounds.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTENDERS = [
    ('onnxruntime', 'float'), ('onnxruntime', 'int8'), ('openvino', 'float'), ('openvino', 'int8'), ('ncnn', 'float'),
]
LARGEST_ERROR = 1e-3  # of a float picture, in [0, 1]
CHANNELS = (16, 32, 64)  # of oneDNN's convolutions


class Worker:
    """One runtime's process."""

    def __init__(self, runtime, precision, threads, folder):
        self.name, self.precision, self.threads = runtime, precision, threads
        self.ms, self.memory = [], 0
        self.log = folder / f'{runtime}-{precision}-{threads}.log'
        with self.log.open('w') as log:
            self.process = subprocess.Popen(
                [sys.executable, HERE / 'runtimes.py', runtime, precision, str(threads), folder], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.about = self.answer()
        if precision == 'float' and not self.about['error'] < LARGEST_ERROR:
            sys.exit(f"{runtime} does not compute the network: it is off by {self.about['error']:.4f}")

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f'{self.name} {self.precision} ended with {self.process.wait()}: {self.log.read_text()[-500:]}')
        return json.loads(line)

    def run(self, frames):
        print(frames, file=self.process.stdin, flush=True)
        answer = self.answer()
        self.ms.append(statistics.median(answer['ms']))
        self.memory = answer['peak_rss_mb']

    def result(self, macs):
        self.process.stdin.close()
        self.process.wait()
        return {
            'runtime': self.name, 'version': self.about['version'], 'precision': self.precision,
            'threads': self.threads, **rates(self.ms, macs), 'peak_rss_mb': self.memory, 'psnr': self.about['psnr'],
        }


class Dssr:
    """dssr-bench at so many times the size, run anew in each round; `flags` as in DSSR_CPU_FLAGS."""

    def __init__(self, args, about, times, threads, backend='auto', flags=None, frames=60):
        size = f"{times * about['width']}x{times * about['height']}"
        self.command = [
            args.build / 'tools' / 'dssr-bench', '--model', args.folder / 'dssr.safetensors', '--size', size,
            '--threads', threads, '--backend', backend, '--frames', frames]
        if about['input']:
            self.command += ['--input', about['input']]
        self.environment = dict(os.environ, **({'DSSR_CPU_FLAGS': flags} if flags else {}))
        self.threads, self.size, self.flags, self.answers = threads, size, flags, []

    def run(self):
        with tempfile.NamedTemporaryFile(suffix='.json') as file:
            subprocess.run([*map(str, self.command), '--json', file.name], check=True, stdout=subprocess.DEVNULL,
                           env=self.environment)
            self.answers.append(json.load(open(file.name)))

    def result(self):
        def middle(key):
            return statistics.median(a[key] for a in self.answers)

        last = self.answers[-1]
        return {
            'runtime': 'dssr', 'precision': 'int8', 'threads': self.threads, 'size': self.size, 'flags': self.flags,
            'backend': last['backend'], 'ms': middle('median_ms'), 'p99_ms': middle('p99_ms'), 'fps': middle('fps'),
            'gmacs': middle('gmacs'), 'peak_rss_mb': middle('peak_rss_mb'), 'stages': last['stages'],
        }


class OneDnn:
    """oneDNN's u8 x s8 convolution 3x3, at the picture's size and where all of it fits a core's cache."""

    def __init__(self, program, size, threads):
        self.program, self.sizes, self.threads = program, (size, '120x68'), threads
        self.answers = {s: [] for s in self.sizes}

    def run(self):
        for size, answers in self.answers.items():
            command = [self.program, size, str(self.threads), *map(str, CHANNELS)]
            answers.append(json.loads(subprocess.check_output(command)))

    def result(self):
        rates_ = {
            f'{c} to {c}, {size}': statistics.median(a[str(c)] for a in answers)
            for size, answers in self.answers.items() for c in CHANNELS
        }
        return {'threads': self.threads, 'gmacs': rates_, 'best': max(rates_.values())}


def rates(ms, macs):
    middle = statistics.median(ms)
    return {'ms': middle, 'fps': 1000 / middle, 'gmacs': macs / middle / 1e6}


def progress(text):
    print(f'\r\033[K{text}' if sys.stderr.isatty() else text, end='' if sys.stderr.isatty() else '\n', file=sys.stderr,
          flush=True)


def compare(args, about):
    """Peers, dssr and oneDNN in turn; returns their results."""
    pixels = about['width'] * about['height'] * about['scale'] ** 2
    size = f"{about['width']}x{about['height']}"
    workers, ours, onednn = [], [], []
    for threads in args.threads:
        for contender in CONTENDERS:
            progress(f'loading {" ".join(contender)}')
            workers.append(Worker(*contender, threads, args.folder))
        ours.append(Dssr(args, about, 1, threads))
        onednn.append(OneDnn(Path(sys.prefix) / 'onednn', size, threads))
    for i in range(args.rounds):
        progress(f'round {i + 1} of {args.rounds}: {size}')
        for threads in args.threads:
            for one in [w for w in ours + onednn if w.threads == threads]:
                one.run()
            for worker in [w for w in workers if w.threads == threads]:
                worker.run(args.frames)
    macs = about['macs'] * pixels
    return {
        'peers': [o.result() for o in ours] + [w.result(macs) for w in workers],
        'onednn': [o.result() for o in onednn],
    }


def own(args, about):
    """dssr alone: four times the pixels, and each instruction set on one thread, with the scalar kernels."""
    most = max(args.threads)
    runs = [Dssr(args, about, 1, most), Dssr(args, about, 2, most, frames=30)]
    runs.append(Dssr(args, about, 1, 1, backend='scalar', frames=2))
    runs += [Dssr(args, about, 1, 1, flags=flags, frames=20) for flags in args.flags]
    for i in range(args.rounds):
        progress(f'round {i + 1} of {args.rounds}: dssr alone')
        for run in runs:
            run.run()
    return [r.result() for r in runs]


def dram(args, about):
    """Bytes to and from DRAM, fused over unfused, as dssr-model counts them."""
    command = [args.build / 'tools' / 'dssr-model', 'plan', args.folder / 'dssr.safetensors', '--size',
               f"{about['width']}x{about['height']}"]
    plan = subprocess.check_output(command, text=True)
    return float(re.search(r'fused / unfused\s+([\d.]+)', plan)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--folder', type=Path, required=True, help='what model.py and int8.py wrote')
    parser.add_argument('--build', type=Path, default=HERE.parent / 'build', help='build folder of dssr')
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--frames', type=int, default=5, help='of each peer and round')
    parser.add_argument('--flags', nargs='*', default=['avx2', 'avx2+avxvnni', 'avx2+avxvnni+avx512+avx512vnni'],
                        help='instruction sets of dssr to compare')
    parser.add_argument('--json', type=Path, required=True, help='file to write')
    args = parser.parse_args()
    about = json.loads((args.folder / 'about.json').read_text())
    cpu = next(line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name'))
    result = {'network': about, 'rounds': args.rounds, 'cpu': cpu, 'load_before': os.getloadavg()[0]}
    result.update(compare(args, about))
    result['own'] = own(args, about)
    result['dram'] = dram(args, about)
    progress('')
    args.json.write_text(json.dumps(result, indent=2))


if __name__ == '__main__':
    main()
