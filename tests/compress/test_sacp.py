"""Structured pruning: what is tied is found from the graph, closed gates and a smaller network are the same, the
budget holds, importance finds what does nothing, and distillation knows which channels are left."""

from argparse import Namespace
from dataclasses import asdict

import numpy as np
import pytest
import torch

from compress import sacp, train
from compress.distil import Distillation, distilled
from compress.edvr import edvr
from compress.export import export
from compress.graph import Graph, Op
from compress.net import Net
from compress.quant import QuantNet
from compress.sacp_groups import Groups
from compress.sacp_importance import gated, input_means, magnitude, taylor
from compress.sacp_select import Selection, Uniform, channels, prune, shrunk
from compress.train import checkpoint, load


def tied(graph):
    """The sets of tensors with the same units, without those of one tensor."""
    return {frozenset(s.tensors) for s in Groups(graph).spaces if len(s.tensors) > 1}


def small_graph(**sizes):
    return edvr(2, **{**dict(channels=(16, 16, 24), offset_channels=(8, 8, 12), fuse_blocks=1), **sizes})


@pytest.fixture
def make_float(make_footage):
    """A small network with random weights whose every path shows, and batches for it."""

    def make(seed=0, dtype=torch.float, **sizes):
        torch.manual_seed(seed)
        net = Net(small_graph(**sizes))
        for op in net.graph.operations():
            if op.op == "conv":
                torch.nn.init.normal_(net.convs[op.out].bias, std=0.05)
                if op.out.startswith("offset"):
                    net.convs[op.out].weight.data.mul_(20)
        frames = [torch.from_numpy(make_footage(net.graph.window, 20, 24, s)).to(dtype) / 255 for s in range(6)]
        low = torch.stack(frames)
        net.to(dtype)
        with torch.no_grad():
            pairs = [(w, net(w) + 0.01 * torch.randn(len(w), 40, 48, dtype=dtype)) for w in low.split(2)]
        return net, pairs

    return make


def test_groups_by_hand():
    g = Graph(2)
    g.frame = [
        Op("input", "x", ["luma"], 1),
        Op("conv", "a", ["x"], 8),
        Op("conv", "b", ["a"], 8),
        Op("add", "c", ["a", "b"], 8),
        Op("conv", "d", ["c"], 12),
    ]
    g.align = [
        Op("conv", "e", ["nbr.c", "ref.c"], 8),
        Op("conv", "o", ["e"], 3 * 2 * 9, wide=True),
        Op("deform", "s", ["nbr.c", "o"], 72, kernel=3, groups=2),
        Op("up2", "u", ["s"], 72),
        Op("conv", "q", ["s"], 4),
    ]
    g.fuse = [
        Op("conv", "p", ["ref.d"], 4),
        Op("attention", "t0", ["nbr0.q", "p", "nbr0.e"], 8),
        Op("conv", "r", ["t0", "ref.d"], 4, wide=True),
        Op("head", "out", ["r"], 4),
    ]
    groups = Groups(g)
    assert tied(g) == {frozenset(s) for s in ("abcosu", ("q", "p"), ("e", "t0"))}
    trunk = groups.unit["a"][::4]
    for name in "abc":
        assert groups.unit[name].tolist() == [trunk[0]] * 4 + [trunk[1]] * 4, "a group goes as a whole"
    assert groups.unit["s"].tolist() == groups.unit["a"].tolist() * 9
    assert groups.unit["o"].tolist() == trunk.tolist() * 27
    assert [s.tensors for s in groups.spaces if s.fixed] == [["x"], ["r"], ["out"]]
    assert len(set(groups.unit["d"])) == 12


def test_groups_of_published_edvr():
    """Operations that imported networks have."""
    g = Graph(4)
    g.frame = [Op("input", "x", ["luma"], 1), Op("conv", "a", ["x"], 8), Op("pool", "p", ["a"], 8)]
    g.fuse = [
        Op("conv", "m", ["ref.p"], 8),
        Op("conv", "s", ["ref.p"], 8),
        Op("modulate", "w", ["m", "s", "m"], 8),
        Op("conv", "wide", ["w"], 32),
        Op("shuffle", "twice", ["wide"], 8),
        Op("conv", "r", ["twice"], 16, wide=True),
        Op("head", "out", ["r"], 16),
    ]
    groups = Groups(g)
    assert tied(g) == {frozenset(s) for s in ("ap", "msw", ("wide", "twice"))}
    assert groups.unit["wide"].tolist() == np.repeat(groups.unit["twice"], 4).tolist()


def test_unknown_operation():
    g = Graph(2, frame=[Op("input", "x", ["luma"], 1), Op("twist", "y", ["x"], 1)])
    with pytest.raises(ValueError, match="twist"):
        Groups(g)


@pytest.mark.parametrize("frame_blocks", [0, 1, 3])
def test_groups_of_edvr(frame_blocks):
    graph = small_graph(window=5, frame_blocks=frame_blocks, fuse_blocks=3)
    trunk = {"head", "sampled1", "offset1"}
    trunk |= {f"block{i}{end}" for i in range(frame_blocks) for end in ("", "b")}
    recon = {"fused"} | {f"recon{i}{end}" for i in range(3) for end in ("", "b")}
    expected = [
        trunk, recon, {"down2", "sampled2", "offset2"}, {"down3", "sampled3", "offset3"}, {"emb", "embref"},
        {"off3", "offup2"}, {"off2", "offup1"}, {"dcn3", "alignedup2"}, {"merged2", "alignedup1"},
        {"merged1", "att0", "att1", "att2", "att3"},
    ]  # fmt: skip
    assert tied(graph) == set(map(frozenset, expected))


def random_keep(graph, groups, seed):
    """Any units, not only whole quads, but some of every space."""
    rng = np.random.default_rng(seed)
    keep = np.ones(groups.count, bool)
    for space in groups.spaces:
        if not space.fixed:
            keep[space.units] = rng.random(len(space.units)) < 0.6
            keep[rng.choice(space.units)] = True
    return keep


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        dict(window=5, frame_blocks=0, fuse_blocks=3),
        dict(frame_blocks=3, fuse_blocks=0, channels=(24, 8, 12)),
        dict(unshuffle=2, embed_channels=8, offset_kernel=1),
    ],
    ids=str,
)
@pytest.mark.parametrize("with_means", [False, True])
def test_pruned_is_the_base_with_gates_closed(make_float, sizes, with_means):
    net, pairs = make_float(dtype=torch.double, **sizes)
    groups = Groups(net.graph)
    copy = gated(net, groups)
    if with_means:
        copy.means = input_means(copy, [low for low, _ in pairs])
    keep = random_keep(net.graph, groups, 1)
    small, kept = prune(net, keep, groups, copy.means if with_means else None)
    with torch.no_grad():
        window = pairs[0][0]
        whole = copy(window)
        copy.gates = torch.from_numpy(keep).double()[None]
        closed = copy(window)
        result = small(window)
    assert small.graph.macs() < net.graph.macs()
    assert (whole - net(window)).abs().max() < 1e-12
    assert (closed - whole).abs().max() > 1e-3, "the channels that went did nothing"
    assert (result - closed).abs().max() < 1e-12
    assert all(len(kept[op.out]) == op.channels for op in small.graph.operations())
    assert Graph.from_dict(asdict(small.graph)) == small.graph


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", [Selection, Uniform])
def test_budget(make_float, part, kind):
    net, _ = make_float(channels=(16, 20, 24), offset_channels=(6, 8, 12))
    groups = Groups(net.graph)
    budget = part * net.graph.macs()
    selection = kind(net.graph, groups, magnitude(net, groups))
    keep = selection.run(budget)
    small, _ = prune(net, keep, groups)
    assert small.graph.macs() <= budget
    for back in range(len(selection.spaces)):
        more = selection.step(back, keep, back=True)
        assert more is None or selection.cost(more) > budget, "something that fits was left out"
    for op in small.graph.operations():
        if op.op == "conv" and not op.wide:
            assert op.channels % 4 == 0 or op.channels == 6, "an operation is wasted on a part of a quad"


def test_budget_too_small(make_float):
    net, _ = make_float()
    groups = Groups(net.graph)
    with pytest.raises(ValueError, match="one quad"):
        Selection(net.graph, groups, magnitude(net, groups)).run(1)


def test_selection_is_near_the_best_of_all():
    """Of a graph small enough to try everything."""
    g = Graph(2)
    g.frame = [
        Op("input", "x", ["luma"], 1),
        Op("conv", "a", ["x"], 16, kernel=3),
        Op("conv", "b", ["a"], 12, kernel=3),
        Op("conv", "c", ["b"], 8, stride=2),
        Op("conv", "d", ["b"], 16, kernel=3),
        Op("add", "e", ["d", "a"], 16),
    ]
    g.fuse = [
        Op("conv", "f", ["ref.c"], 12, kernel=3),
        Op("conv", "r", ["ref.e"], 4, kernel=3, wide=True),
        Op("head", "out", ["r"], 4),
    ]
    groups = Groups(g)
    for seed in range(12):
        importance = np.random.default_rng(seed).lognormal(size=groups.count)
        budget = (0.3 + 0.05 * seed) * g.macs()
        selection = Selection(g, groups, importance)
        everything = [np.ones(groups.count, bool)]
        for space in range(len(selection.spaces)):
            fewer = everything
            while fewer := [k for k in (selection.step(space, keep) for keep in fewer) if k is not None]:
                everything = everything + fewer
        best = min(selection.loss(keep) for keep in everything if selection.cost(keep) <= budget)
        keep = selection.run(budget)
        assert selection.cost(keep) <= budget
        assert selection.loss(keep) <= 1.1 * best + 1e-9, seed


def test_budget_of_channels(make_float):
    net, _ = make_float()
    groups = Groups(net.graph)
    half = channels(net.graph) * 0.5
    keep = Selection(net.graph, groups, magnitude(net, groups), channels).run(half)
    assert half - 8 < channels(shrunk(net.graph, groups.kept(keep))) <= half


def test_groups_of_two_quads():
    """As BasicSR's EDVR has them: eight channels a group."""
    graph = small_graph()
    for op in graph.align:
        if op.out in ("offset1", "sampled1"):
            op.groups = 2
            op.channels = {"offset1": 6, "sampled1": 16}[op.out]
    net, groups = Net(graph), Groups(graph)
    keep = Selection(graph, groups, magnitude(net, groups)).run(0.3 * graph.macs())
    small, kept = prune(net, keep, groups)
    assert len(kept["head"]) == 8 and kept["head"].tolist() in (list(range(8)), list(range(8, 16)))
    assert next(op for op in small.graph.align if op.out == "sampled1").groups == 1
    small(torch.rand(1, 3, 12, 12))


def test_importance_finds_what_does_nothing(make_float):
    """Four channels with large weights that nobody listens to: they go first, and magnitude thinks them the best."""
    net, pairs = make_float()
    graph, groups = net.graph, Groups(net.graph)
    useless = [1, 4, 6, 9]
    net.convs["recon0a"].weight.data[useless] *= 30
    net.convs["recon0b"].weight.data[:, useless] = 0
    with torch.no_grad():
        pairs = [(low, net(low)) for low, _ in pairs]  # nothing can be better than it is
    each, by_size = sum(taylor(gated(net, groups), pairs, progress=False)), magnitude(net, groups)
    units = groups.unit["recon0a"]
    others = np.setdiff1d(units, units[useless])
    assert (each[units[useless]] == 0).all() and np.median(each[others]) > 1e-8
    assert not Selection(graph, groups, each).run(0.99 * graph.macs())[units[useless]].any()
    assert by_size[units[useless]].min() > by_size[others].max()


def test_importance_predicts_the_loss(make_float):
    """It ranks channels by what closing their gates does, better than magnitude or the first order alone."""
    net, pairs = make_float()
    groups = Groups(net.graph)
    copy = gated(net, groups)
    first, second = taylor(copy, pairs * 4, progress=False)
    units = np.concatenate([groups.unit["dcn1"], groups.unit["recon0a"], groups.unit["merged2"]])

    def loss(keep):
        copy.gates = torch.from_numpy(keep).float()[None]
        with torch.no_grad():
            return np.mean([(copy(low) - high).square().mean().item() for low, high in pairs])

    everything = np.ones(groups.count, bool)
    rises = []
    for unit in units:
        keep = everything.copy()
        keep[unit] = False
        rises.append(loss(keep) - loss(everything))

    def ranks(values):
        return np.argsort(np.argsort(values))

    def agreement(values):
        return np.corrcoef(ranks(values[units]), ranks(rises))[0, 1]

    assert agreement(first + second) > 0.85
    assert agreement(first + second) > agreement(np.abs(first)) + 0.1
    assert agreement(first + second) > agreement(magnitude(net, groups)) + 0.2


def test_same_seed_same_importance(make_float):
    net, pairs = make_float()
    groups = Groups(net.graph)
    a, b = (taylor(gated(net, groups), pairs, progress=False) for _ in range(2))
    assert np.array_equal(a, b)


def test_kept_composes():
    first = sacp.compose(None, {"a": np.array([1, 3, 5, 7])})
    assert sacp.compose(first, {"a": np.array([0, 3])}) == {"a": [1, 7]}


def test_distillation(make_float):
    net, pairs = make_float()
    assert distilled(net.graph) == ["nbr0.merged1", "nbr1.merged1", "fused", "recon0"]
    groups = Groups(net.graph)
    keep = Selection(net.graph, groups, magnitude(net, groups)).run(0.6 * net.graph.macs())
    small, kept = prune(net, keep, groups)
    low, high = pairs[0]
    loss = Distillation(net, small.graph, kept, output=0.5, features=0.1)
    for name, index in loss.channels.items():
        assert len(index) == len(kept[name.split(".")[-1]])
    with_features, without = loss(small, low, high, 0.0).item(), loss(small, low, high, 0.9).item()
    assert with_features > without > 0
    loss(small, low, high, 0.0).backward()
    assert all(p.grad is None for p in net.parameters())
    assert small.convs["off3"].weight.grad.abs().sum() > 0
    # The teacher itself has nothing left to learn of its features.
    itself = Distillation(net, net.graph)
    itself(net, low, high, 0.0)
    assert itself.difference(net) < 1e-9 and len(itself.channels) == 4


def test_teacher_alone(make_float, tmp_path):
    net, ((low, high), *_) = make_float()
    file = tmp_path / "teacher.pt"
    torch.save(checkpoint(net, average=net.state_dict()), file)
    args = Namespace(teacher=file, only_teacher=True, device="cpu")
    other, _ = make_float(seed=1)
    loss = train.taught(args, other)
    assert loss(other, low, high, 0.0).item() == loss(other, low, 1 - high, 0.0).item() > 0
    assert loss(net, low, high, 0.8).item() == pytest.approx(1e-3)  # the least that Charbonnier is
    args.only_teacher = False
    assert train.taught(args, net)(net, low, high, 0.8).item() > 0


def test_teacher_is_missing_or_of_another_scale(make_float, tmp_path):
    net, _ = make_float()
    file = tmp_path / "teacher.pt"
    larger = Net(edvr(4, channels=(16, 16, 24), offset_channels=(8, 8, 12)))
    torch.save(checkpoint(larger, average=larger.state_dict()), file)
    with pytest.raises(SystemExit, match="teacher.pt enlarges x4, and what it would teach x2: rescale"):
        train.taught(Namespace(teacher=file, only_teacher=False, device="cpu"), net)
    with pytest.raises(SystemExit, match="--teacher"):
        train.taught(Namespace(teacher=None, only_teacher=True), net)
    assert train.taught(Namespace(teacher=None, only_teacher=False), net) is None


def test_features_are_learnt(make_float):
    net, pairs = make_float()
    groups = Groups(net.graph)
    keep = Selection(net.graph, groups, magnitude(net, groups)).run(0.7 * net.graph.macs())
    small, kept = prune(net, keep, groups)
    loss = Distillation(net, small.graph, kept, output=0, features=10)
    optimiser = torch.optim.Adam(small.parameters(), 1e-3)
    distances = []
    for _ in range(15):
        optimiser.zero_grad()
        loss(small, *pairs[0], 0.0).backward()
        distances.append(loss.difference(small).item())
        optimiser.step()
    assert distances[-1] < 0.8 * distances[0]


def test_quantised_networks_learn_features_too(make_float):
    net, pairs = make_float()
    quantised = QuantNet(net.graph)
    quantised.load_state_dict(net.state_dict(), strict=False)
    quantised.calibrate([low for low, _ in pairs])
    loss = Distillation(net, net.graph)
    loss(quantised, *pairs[0], 0.0).backward()
    assert 0 < loss.difference(quantised) < 0.2
    assert quantised.convs["down3"].weight.grad.abs().sum() > 0


def test_pruned_is_quantised_and_exported(make_float, make_footage, tmp_path):
    net, pairs = make_float()
    groups = Groups(net.graph)
    small, _ = prune(net, Selection(net.graph, groups, magnitude(net, groups)).run(0.5 * net.graph.macs()), groups)
    quantised = QuantNet(small.graph)
    quantised.load_state_dict(small.state_dict(), strict=False)
    quantised.calibrate([low for low, _ in pairs])
    file = tmp_path / "pruned.safetensors"
    export(quantised.eval(), file, "landscape", "test", {})
    from compress.element import enlarge

    frames = make_footage(4, 17, 23)
    window = torch.from_numpy(np.stack(frames[:3]))[None]
    with torch.no_grad():
        expected = quantised.picture(window)[0].byte().numpy()
    for backend in ("scalar", "cpu"):
        np.testing.assert_array_equal(enlarge(frames, 2, model=file, lookahead=1, backend=backend)[1], expected)


def test_commands(make_float, tmp_path, monkeypatch):
    """Pruned in two rounds, trained, interrupted and gone on with; then trained again with the base as teacher."""
    net, _ = make_float()
    base, out, data = tmp_path / "base.pt", tmp_path / "small.pt", tmp_path / "train.npy"
    torch.save(checkpoint(net, average=net.state_dict()), base)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 3, 160, 160)))
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2) * 150 + 128
    np.save(data, smooth.clamp(0, 255).byte().numpy())
    common = ["--data", data, "--batch", 2, "--side", 64, "--seed", 1]

    def run(main, *arguments):
        monkeypatch.setattr("sys.argv", ["command", *map(str, [*common, *arguments])])
        main()

    prune_it = ["--float", base, "--part", 0.4, "--rounds", 2, "--recovery", 2, "--batches", 2, "--out", out]
    run(sacp.main, *prune_it)
    small, state = load(out)
    assert state["step"] == 0 and small.graph.macs() <= 0.4 * net.graph.macs()
    first_round = tmp_path / "small.round1.pt"
    between, state = load(first_round)
    assert state["step"] == 2 and small.graph.macs() < between.graph.macs() <= 0.4**0.5 * net.graph.macs()

    written = first_round.stat().st_mtime_ns
    out.unlink()
    run(sacp.main, *prune_it, "--steps", 2)
    assert first_round.stat().st_mtime_ns == written
    first_round.unlink()  # of no use once there is a result
    run(sacp.main, *prune_it, "--steps", 4)
    trained, state = load(out)
    assert state["step"] == 4 and not first_round.exists()
    channels_of_base = {op.out: op.channels for op in net.graph.operations()}
    for op in trained.graph.operations():
        kept = state["kept"][op.out]
        assert len(kept) == op.channels and max(kept) < channels_of_base[op.out]
    assert trained.graph.macs() <= 0.4 * net.graph.macs()

    again = tmp_path / "again.pt"
    run(train.main, "--init", out, "--teacher", base, "--steps", 2, "--out", again)
    assert load(again)[1]["kept"] == state["kept"]
