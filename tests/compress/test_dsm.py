"""Masks on quads of weights: their geometry, how they are learnt, and that what is masked is nowhere computed."""

import argparse
import copy
import importlib
import json
import sys

import av
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from compress.ablation.dsm import Gradual, OneShot, RigL
from compress.dsm import (
    ANNEALED,
    DifferentiableMasks,
    MaskedNet,
    MaskOptimiser,
    SoftMasks,
    annealed,
    cubic,
    importance,
)
from compress.edvr import edvr
from compress.element import enlarge
from compress.export import Exporter, export
from compress.graph import SPARSE_BELOW, Graph, Op, quad_of_channel, quads
from compress.net import Net
from compress.quant import QuantNet
from compress.train import checkpoint, load, train
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
    whole = make_net(scale, bits=(bits,), **SIZES)
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
            assert present <= op.quads, "a masked quad is in the file"
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
    net = masked(Net(edvr(2, **SIZES)), 0.4)
    torch.save(checkpoint(net, average=net.state_dict()), tmp_path / "net.pt")
    for kind in (Net, QuantNet):
        loaded, _ = load(tmp_path / "net.pt", kind)
        assert loaded.graph == net.graph and loaded.graph.macs() == net.graph.macs()
        for name, conv in net.convs.items():
            assert torch.equal(loaded.convs[name].mask, conv.mask)


class Steady:
    """The same batches again and again; breaks off, as a user does, after `steps` of them."""

    def __init__(self, make_footage, steps=10**9):
        frames = [torch.from_numpy(make_footage(3, 24, 24, s)).float() / 255 for s in range(2)]
        self.low, self.steps = torch.stack(frames), steps
        self.high = torch.nn.functional.interpolate(self.low[:, 1:2], scale_factor=2, mode="bicubic")[:, 0]

    def next(self):
        self.steps -= 1
        if self.steps < 0:
            raise KeyboardInterrupt
        return self.low, self.high


def start(kind, density, seed=0, **sizes):
    torch.manual_seed(seed)
    source = Net(edvr(2, **(sizes or SIZES)))
    net = kind(source.graph, density)
    net.load_state_dict(source.state_dict(), strict=False)
    return net


def options(out, steps):
    return argparse.Namespace(out=out, steps=steps, minutes=None, peak=1e-3, guide=0.0)


def test_soft_masks_cost_what_is_allowed():
    torch.manual_seed(0)
    score = torch.randn(200, dtype=torch.double, requires_grad=True)
    cost = torch.rand(200).double() + 0.1
    for part, temperature in ((0.9, 0.5), (0.25, 0.5), (0.1, 0.05)):
        mask = SoftMasks.apply(score, cost, part * cost.sum(), temperature)
        assert (mask * cost).sum().item() == pytest.approx(part * cost.sum().item())
        assert mask[score.argmax()] == mask.max()
    assert torch.autograd.gradcheck(lambda s: SoftMasks.apply(s, cost[:20], 5.0, 0.7), score[:20])


@pytest.mark.parametrize("density", [0.15, 0.25, 0.5, 0.75])
def test_density_is_of_all_that_is_executed(density):
    net = start(MaskedNet, density)
    torch.manual_seed(1)
    for worth in (torch.rand(len(net.cost)), net.magnitudes() / net.cost):
        net.set_masks(net.best(worth, density))
        assert net.graph.macs() / net.dense_macs == pytest.approx(density, rel=0.01)
        for layer in net.layers.values():
            part = net.convs[layer.op.out].mask.float().mean()
            assert part > 0
            assert (layer.op.quads is None) == (part == 1) and (part == 1 or part < SPARSE_BELOW)


def test_layers_may_stay_dense():
    torch.manual_seed(0)
    graph = edvr(2, **SIZES)
    net = MaskedNet(graph, 0.5, ["head", "residual"])
    assert not {"head", "residual", "down2", "down3"} & set(net.layers)
    net.set_masks(net.best(torch.rand(len(net.cost)), 0.5))
    assert net.graph.macs() / graph.macs() == pytest.approx(0.5, rel=0.01)
    assert all(op.quads is None for op in graph.operations()), "the given graph is not to change"
    for density, names, graph, complaint in (
        (0.2, list(net.layers)[:-1], graph, "stay dense"),
        (0.5, ["tail"], graph, "tail"),
        (0.5, [], net.graph, "sparse already"),
    ):
        with pytest.raises(ValueError, match=complaint):
            MaskedNet(graph, density, names)


def with_useless_quads(density):
    """A network whose last layer's larger weights, as many as the others, read channels that are always 0; and which."""
    torch.manual_seed(0)
    graph = Graph(2, window=1)
    graph.frame = [Op("input", "x", ["luma"], 1), Op("conv", "a", ["x"], 8, kernel=3, act="relu")]
    graph.fuse = [Op("conv", "residual", ["ref.a"], 4, kernel=3, wide=True), Op("head", "out", ["residual"], 4)]
    net = DifferentiableMasks(graph, density, ["a"])
    with torch.no_grad():
        net.convs["a"].weight[:4] = 0
        net.convs["a"].bias[:4] = -1
        net.convs["residual"].weight[:, :4] *= 10
    planted = torch.zeros(net.layers["residual"].shape, dtype=torch.bool)
    planted[:, 0] = True
    return net, planted.reshape(-1)


class Still(Steady):
    def next(self):
        return self.low[:, :1], self.high


def test_useless_quads_go_first(make_footage):
    net, planted = with_useless_quads(0.6)
    net.rank(importance(net, Still(make_footage), 2))
    kept = net.best(net.score.detach(), 0.6)
    assert planted.any() and not kept[planted].any() and kept[~planted].any()
    assert net.best(net.magnitudes(), 0.6)[planted].sum() > 10, "magnitudes tell them too"


def test_gradient_finds_useless_quads(make_footage):
    net, planted = with_useless_quads(0.6)
    low, _ = Still(make_footage).next()
    teacher = Net(net.graph)
    teacher.load_state_dict(net.state_dict(), strict=False)
    with torch.no_grad():
        shown = teacher(low)
    optimiser = MaskOptimiser(net, 0.0)
    for _ in range(100):
        net.anneal(0.9 * ANNEALED)
        optimiser.zero_grad()
        (net(low) - shown).square().mean().backward()
        assert net.score.grad.abs().sum() > 0
        optimiser.step(1.0)
    assert net.score[planted].max() < net.score[~planted].median()
    net.anneal(ANNEALED)
    assert not net.masks()[planted].any()


@pytest.mark.parametrize("kind", [OneShot, Gradual, RigL, DifferentiableMasks])
def test_methods_end_at_the_density(tmp_path, make_footage, kind):
    net, source = start(kind, 0.3), Steady(make_footage)
    optimiser = MaskOptimiser(net, 1e-3) if kind is DifferentiableMasks else None
    train(net, source, options(tmp_path / "net.pt", 24), annealed(), optimiser)
    loaded, _ = load(tmp_path / "net.pt")
    assert loaded.graph.macs() / net.dense_macs == pytest.approx(0.3, rel=0.01)
    low, _ = source.next()
    with torch.no_grad():
        assert torch.allclose(loaded(low), net(low), atol=1e-6)
    for op in loaded.graph.operations():
        if op.quads is not None:
            conv = loaded.convs[op.out]
            assert conv.mask.sum() == op.quads
            assert not loaded.weight(op)[~conv.mask[:, conv.quad]].any()


def test_schedule():
    assert cubic(0, 0.25) == 1 and cubic(1, 0.25) == 0.25
    assert cubic(0.5, 0.25) < 0.5


def test_soft_masks_end_binary(make_footage):
    net = start(DifferentiableMasks, 0.25)
    net.rank(importance(net, Steady(make_footage), 2))
    net.anneal(0.0)
    assert net.soft.min() > 0.999
    undecided = []
    for done in (0.3, 0.6, 0.999):
        net.anneal(done * ANNEALED)
        undecided.append(((net.soft > 0.05) & (net.soft < 0.95)).float().mean().item())
    assert undecided[2] < undecided[1] < undecided[0] and undecided[2] < 0.05
    soft = net.soft > 0.5
    net.anneal(ANNEALED)
    assert net.fixed and net.soft is None
    assert (net.masks() == soft).float().mean() > 0.95, "the masks are not those that were learnt"


def test_gradual_brings_nothing_back():
    net = start(Gradual, 0.25)
    before = net.masks()
    for done in (0.1, 0.2, 0.4, 0.59):
        net.anneal(done)
        for conv in net.convs.values():
            torch.nn.init.normal_(conv.weight)
        now = net.masks()
        assert now.sum() < before.sum() and not (now & ~before).any()
        before = now


def test_rigl_moves_quads_and_keeps_counts(make_footage):
    net, source = start(RigL, 0.3), Steady(make_footage)
    net.anneal(0)
    before = net.masks()
    low, high = source.next()
    (net(low) - high).square().mean().backward()
    net.anneal(0.1)
    after = net.masks()
    for layer in net.layers.values():
        assert before[layer.quads].sum() == after[layer.quads].sum()
    grown = after & ~before
    assert 0.02 < grown.sum() / after.sum() < 0.3
    assert net.magnitudes()[grown].max() == 0


@pytest.mark.parametrize("interruption", [4, 16])
def test_resumes_where_it_stopped(tmp_path, make_footage, interruption):
    def run(file, steps):
        net = start(DifferentiableMasks, 0.4)
        if not file.exists():
            net.rank(importance(net, Steady(make_footage), 2))
        source, optimiser = Steady(make_footage, steps), MaskOptimiser(net, 1e-3)
        train(net, source, options(file, 20), annealed(), optimiser, seconds_between_saves=0)

    run(tmp_path / "whole.pt", 20)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts.pt", interruption)
    run(tmp_path / "parts.pt", 20 - interruption)
    whole, parts = (load(tmp_path / f"{name}.pt")[0] for name in ("whole", "parts"))
    assert whole.graph == parts.graph
    for key, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[key]), key


@pytest.fixture
def run_module(monkeypatch, capsys):
    """Runs a module's main with command line arguments; what it prints."""

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module, *map(str, arguments)])
        importlib.import_module(f"compress.{module}").main()
        return "".join(capsys.readouterr())

    return run


@pytest.fixture
def files(tmp_path, make_footage):
    """A dense checkpoint, packed data and a folder with a clip."""
    torch.manual_seed(0)
    net = Net(edvr(2, **SIZES))
    torch.save(checkpoint(net, average=net.state_dict()), tmp_path / "float.pt")
    np.save(tmp_path / "data.npy", np.stack([make_footage(3, 80, 80, s) for s in range(4)]))
    (tmp_path / "bench").mkdir()
    with av.open(str(tmp_path / "bench" / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 80, 80, "bgr0"
        for frame in make_footage(6, 80, 80):
            picture = av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, 2), "rgb24")
            container.mux(stream.encode(picture.reformat(format="bgr0")))
        container.mux(stream.encode())
    return tmp_path


COMMON = ("--batch", 2, "--side", 32, "--seed", 3, "--degraded", 0)


def test_commands(files, run_module):
    common = ["--float", files / "float.pt", "--data", files / "data.npy", *COMMON]
    command = ["dsm", *common, "--density", 0.3, "--teacher", files / "float.pt", "--dense", "residual", "--steps", 10]
    shown = run_module(*command, "--out", files / "one.pt")
    assert "%" in shown and "10/10" in shown
    run_module(*command, "--out", files / "two.pt")
    one, two = (load(files / f"{name}.pt")[0] for name in ("one", "two"))
    assert one.graph == two.graph and one.graph.macs() / load(files / "float.pt")[0].graph.macs() < 0.303
    assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items()), "seeds are not fixed"

    trained = ["--float", files / "one.pt", "--data", files / "data.npy", *COMMON]
    run_module("quantise", *trained, "--steps", 3, "--out", files / "int.pt")
    quantised, _ = load(files / "int.pt", QuantNet)
    assert quantised.graph == one.graph
    for op in one.graph.operations():
        if op.quads is not None:
            assert torch.equal(quantised.convs[op.out].mask, one.convs[op.out].mask)


def test_ablation(files, run_module):
    command = ["ablation.dsm", "--float", files / "float.pt", "--data", files / "data.npy", *COMMON]
    command += ["--bench", files / "bench", "--densities", 0.5, "--steps", 6, "--out", files / "out"]
    run_module(*command)
    results = json.loads((files / "out" / "results.json").read_text())
    assert set(results) == {"start", "dense-1", *(f"{m}-0.5" for m in ("one-shot", "gradual", "RigL", "DSM"))}
    macs = {name: run["macs"] / results["start"]["macs"] for name, run in results.items()}
    assert macs["dense-1"] == 1
    assert all(part == pytest.approx(0.5, rel=0.01) for name, part in macs.items() if name.endswith("0.5"))
    assert len({run["psnr"] for run in results.values()}) == len(results)
    table = (files / "out" / "table.md").read_text()
    assert "DSM" in table and (files / "out" / "plot.svg").stat().st_size > 1000
    stamp = (files / "out" / "DSM-0.5.pt").stat().st_mtime
    run_module(*command)
    assert (files / "out" / "DSM-0.5.pt").stat().st_mtime == stamp, "a finished run was repeated"
