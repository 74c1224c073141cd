"""The mean of networks that were trained on from one."""

import subprocess
import sys

import torch

from compress.edvr import edvr
from compress.net import Net
from compress.train import checkpoint, load


def run(*files):
    return subprocess.run([sys.executable, "-m", "compress.average", *map(str, files)], capture_output=True, text=True)


def written(tmp_path, name, net):
    torch.save(checkpoint(net, average=net.state_dict()), tmp_path / name)
    return tmp_path / name


def networks(count, **sizes):
    return [Net(edvr(2, channels=(4, 4, 4), **sizes)) for _ in range(count)]


def test_weights_are_the_mean(tmp_path):
    nets = networks(3)
    files = [written(tmp_path, f"{i}.pt", net) for i, net in enumerate(nets)]
    done = run(*files, "--out", tmp_path / "mean.pt")
    assert done.returncode == 0, done.stderr
    mean = load(tmp_path / "mean.pt")[0].state_dict()
    for key, value in mean.items():
        expected = torch.stack([net.state_dict()[key] for net in nets]).mean(0)
        assert torch.allclose(value, expected, atol=1e-6)


def test_other_networks_are_refused(tmp_path):
    first, second = networks(1)[0], networks(1, fuse_blocks=1)[0]
    done = run(written(tmp_path, "a.pt", first), written(tmp_path, "b.pt", second), "--out", tmp_path / "mean.pt")
    assert done.returncode == 1 and "b.pt is another network" in done.stderr and not (tmp_path / "mean.pt").exists()


def test_other_masks_are_refused(tmp_path):
    files = []
    for row in (0, 1):
        graph = edvr(2, channels=(4, 4, 4))
        op = next(op for op in graph.fuse if op.op == "conv")
        op.quads = 3
        net = Net(graph)
        net.convs[op.out].mask[row] = False
        files.append(written(tmp_path, f"{row}.pt", net))
    assert "another network" in run(*files, "--out", tmp_path / "mean.pt").stderr
