"""Quantisation-aware fine-tuning: a floating-point checkpoint becomes an integer one.

    nice -n 19 python3 -m compress.quantise --float build/x4-bits.pt --data build/train.npy \\
        --out build/x4-int.pt --minutes 30

Bits are those of the checkpoint's graph: 8, or what compress.pde assigned. Ranges are calibrated, then weights and
biases are trained with a forward pass that grows from floating point into the integer contract (qap.py). Resumes like
compress.train.
"""

import argparse
from pathlib import Path

import torch

from .qap import PROGRESS, NoisyNet, ProgressiveLoss
from .train import arguments, batches, load, taught, teacher_arguments, train

CALIBRATION_BATCHES = 16


def main():
    parser = arguments(__doc__.splitlines()[0], peak=2e-4, guide=0.0)
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train or compress.pde")
    parser.add_argument("--progress", type=float, default=PROGRESS, help="part of the schedule in which noise grows to "
                        "all of the rounding; 0: all from the start")  # fmt: skip
    teacher_arguments(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.seed is not None:
        torch.manual_seed(args.seed)
    net, _ = load(args.float, NoisyNet)
    source = batches(args, net.graph)
    net.to(args.device, memory_format=torch.channels_last)
    if not args.out.exists():
        seen = batches(argparse.Namespace(**{**vars(args), "faded": 0.0}), net.graph)  # faint ones would take the others' range
        net.calibrate(seen.next()[0] for _ in range(CALIBRATION_BATCHES))
    train(net, source, args, ProgressiveLoss(args.progress, taught(args, net)))


if __name__ == "__main__":
    main()
