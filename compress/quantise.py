"""Quantisation-aware fine-tuning: a floating-point checkpoint becomes an integer one.

    nice -n 19 python3 -m compress.quantise --float build/x4.pt --data build/train.npy \\
        --out build/x4-int.pt --minutes 30

Ranges of activations are calibrated once, then weights and biases are trained with a forward
pass that equals the integer contract. Resumes like compress.train.
"""

from pathlib import Path

import torch

from .data import Batches
from .quant import QuantNet
from .train import arguments, load, train

CALIBRATION_BATCHES = 16


def main():
    parser = arguments(__doc__.splitlines()[0], peak=2e-4, guide=0.0)
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    net, state = load(args.float, QuantNet)
    args.scale, args.rung = state["scale"], state["rung"]
    batches = Batches(args.data, args.scale, args.batch, args.side, args.seed)
    net.calibrate(batches.next()[0] for _ in range(CALIBRATION_BATCHES))
    net.to(args.device, memory_format=torch.channels_last)
    batches.device = args.device
    train(net, batches, args)


if __name__ == "__main__":
    main()
