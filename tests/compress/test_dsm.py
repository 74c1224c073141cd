"""Masks on quads of weights: their geometry, how they are learnt, and that what is masked is nowhere computed."""

import copy

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from compress.edvr import edvr
from compress.element import enlarge
from compress.export import Exporter, export
from compress.graph import Graph, Op, quad_of_channel, quads
from compress.net import Net
from compress.quant import QuantNet
from test_engine import simulate

SIZES = dict(channels=(8, 6, 12), offset_channels=(6, 8, 8), fuse_blocks=1)


def masked(net, density, seed=0):
    """`net` with random quads of every convolution masked: a new network of the same kind."""
    graph = copy.deepcopy(net.graph)
    for op, counts, _ in graph.convolutions():
        op.quads = op.channels * quads(counts) * op.kernel**2
    sparse = type(net)(graph)
    sparse.load_state_dict(net.state_dict(), strict=False)
    torch.manual_seed(seed)
    for op in graph.operations():
        if op.op == "conv":
            mask = sparse.convs[op.out].mask
            mask.copy_(torch.rand(mask.shape) < density)
            op.quads = int(mask.sum())
    return sparse.eval()


def test_quads_of_concatenated_inputs():
    assert quads([6, 1, 8]) == 5
    assert quad_of_channel([6, 1, 8]) == [0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4]


def test_a_masked_quad_is_four_channels_of_one_input():
    graph = Graph(2)
    graph.frame = [Op("input", "x", ["luma"], 1), Op("conv", "a", ["x"], 6, kernel=3)]
    graph.align = [Op("conv", "c", ["nbr.a", "ref.a"], 3, kernel=3, quads=3 * 4 * 9)]
    net = Net(graph)
    net.convs["c"].mask[2, 1, 0, 1] = False
    net.convs["c"].mask[0, 2, 2, 2] = False
    zero = (net.weight(graph.align[0]) == 0).nonzero().tolist()
    assert zero == [[0, i, 2, 2] for i in (6, 7, 8, 9)] + [[2, i, 0, 1] for i in (4, 5)]


def test_macs_count_what_is_kept():
    graph = Graph(2)
    graph.frame = [Op("input", "x", ["luma"], 1), Op("conv", "a", ["x"], 6, kernel=3)]
    assert graph.macs() == 4 * 8 * 9 / 4
    graph.frame[1].quads = 5
    assert graph.macs() == 4 * 5 / 4


def test_masked_weights_learn_nothing(make_net, make_footage):
    net = masked(make_net(2, **SIZES), 0.5).train()
    net(torch.from_numpy(make_footage(3, 24, 24)).float()[None] / 255).square().sum().backward()
    for conv in net.convs.values():
        absent = ~conv.mask[:, conv.quad]
        assert absent.any() and not conv.weight.grad[absent].any()
        assert conv.weight.grad.any()


@pytest.mark.parametrize("scale, bits, density", [(2, 8, 0.25), (4, 4, 0.5), (2, 6, 0.15)])
def test_sparse_file(tmp_path, make_net, make_footage, scale, bits, density):
    whole = make_net(scale, bits=bits, **SIZES)
    net = masked(whole, density)
    net.calibrate([torch.from_numpy(make_footage(3, 24, 24, s)).float()[None] / 255 for s in range(4)])
    sparse_file, dense_file = tmp_path / "sparse.safetensors", tmp_path / "dense.safetensors"
    export(net, sparse_file, "landscape", "test", {})
    export(whole, dense_file, "landscape", "test", {})
    tensors = load_file(sparse_file)
    masks = {name.split(".")[1]: mask for name, mask in tensors.items() if name.endswith(".mask")}
    assert len(masks) > 5
    for op in net.graph.operations():
        if op.out in masks:
            present = np.unpackbits(masks[op.out], bitorder="little").sum()
            assert 0 < present <= op.quads, "a masked quad is in the file"
    saved = sum(t.nbytes for t in load_file(dense_file).values()) - sum(t.nbytes for t in tensors.values())
    assert saved > 0 and sparse_file.stat().st_size < dense_file.stat().st_size

    frames = make_footage(4, 17, 22)
    expected = simulate(net, frames, 1)
    assert expected.std() > 10
    for backend in ("scalar", "cpu"):
        result = enlarge(frames, scale, model=sparse_file, lookahead=1, backend=backend)
        np.testing.assert_array_equal(result, expected)


def test_masked_weights_are_zero_once_quantised(make_net):
    net = masked(make_net(2, **SIZES), 0.3)
    exporter = Exporter(net)
    seen = []
    parameters = net.conv_parameters

    def spy(op, inputs):
        p = parameters(op, inputs)
        conv = net.convs[op.out]
        assert not p["weight"][~conv.mask[:, conv.quad]].any()
        seen.append(op.out)
        return p

    net.conv_parameters = spy
    exporter.run()
    assert set(seen) == set(net.convs)


def test_checkpoint_keeps_masks(tmp_path):
    from compress.train import checkpoint, load

    net = masked(Net(edvr(2, **SIZES)), 0.4)
    torch.save(checkpoint(net, average=net.state_dict()), tmp_path / "net.pt")
    for kind in (Net, QuantNet):
        loaded, _ = load(tmp_path / "net.pt", kind)
        assert loaded.graph == net.graph and loaded.graph.macs() == net.graph.macs()
        for name, conv in net.convs.items():
            assert torch.equal(loaded.convs[name].mask, conv.mask)
