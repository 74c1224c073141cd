"""Quantisation-aware fine-tuning: a floating-point checkpoint becomes an integer one.

    nice -n 19 python3 -m compress.quantise --float build/x4.pt --data build/train.npy \\
        --out build/x4-int.pt --minutes 30

Ranges of activations are calibrated once, then weights and biases are trained with a forward
pass that equals the integer contract. Resumes like compress.train.
"""

from pathlib import Path

import torch

from .quant import QuantNet
from .train import arguments, batches, load, train

CALIBRATION_BATCHES = 16


def main():
    parser = arguments(__doc__.splitlines()[0], peak=2e-4, guide=0.0)
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of compress.train")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    net, _ = load(args.float, QuantNet)
    source = batches(args, net.graph.scale)
    net.to(args.device, memory_format=torch.channels_last)
    net.calibrate(source.next()[0] for _ in range(CALIBRATION_BATCHES))
    train(net, source, args)


if __name__ == "__main__":
    main()
