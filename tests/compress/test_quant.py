"""Quantisation: close to floating point, and trainable."""

import contextlib
import math

import pytest
import torch

from compress.losses import NOTHING
from compress.net import Net, sample
from compress.quant import best_clips, best_gate, best_range, grid, mulhrs, sample_fixed, sigmoid_table, split_ratio


@contextlib.contextmanager
def monkeypatched(of, name, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of, name, value)
        yield


def test_close_to_floating_point(make_net, make_footage):
    net = make_net(2)
    plain = Net(net.graph)
    plain.load_state_dict(net.state_dict(), strict=False)
    frames = torch.from_numpy(make_footage(3, 24, 24))[None]
    with torch.no_grad():
        exact = plain(frames.float() / 255) - plain.base(frames.float() / 255)[:, 0]
        coarse = net(frames.float() / 255) - plain.base(frames.float() / 255)[:, 0]
    assert exact.std() > 0.01
    assert (exact - coarse).std() < 0.15 * exact.std()


def test_every_weight_learns(make_net, make_footage):
    net = make_net(2).train()
    net(torch.from_numpy(make_footage(3, 24, 24)).float()[None] / 255).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_gradients_point_where_the_loss_falls(make_net, make_footage):
    net = make_net(2).train()
    window = torch.from_numpy(make_footage(3, 24, 24)).float()[None] / 255
    target = torch.zeros(1, 48, 48) + 0.5
    losses = []
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(12):
        loss = (net(window) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("kernel", [1, 3])
def test_fixed_sampling_follows_the_float_one(kernel):
    torch.manual_seed(0)
    feature = torch.randint(0, 256, (1, 8, 7, 9))
    dy, dx = (torch.randint(-80, 80, (1, kernel**2 * 2, 7, 9)) for _ in range(2))
    fixed = sample_fixed(feature.int(), dy.int(), dx.int(), 2, kernel)
    exact = sample(feature.float(), dy / 16, dx / 16, 2, kernel)
    assert (fixed - exact).abs().max() <= 0.51


def test_mulhrs_rounds_to_nearest():
    a, b = torch.randint(-32768, 32768, (1000,)), torch.randint(0, 32768, (1000,))
    assert ((mulhrs(a, b) - a.double() * b / 32768).abs() <= 0.5).all()


@pytest.mark.parametrize("ratio", [1e-5, 0.0003, 0.02, 0.9])
def test_split_ratio(ratio):
    shift, mult = split_ratio(ratio, 8191)
    assert 0 <= shift <= 24 and mult <= 32767
    assert mult / 2 ** (15 + shift) == pytest.approx(ratio)


def test_sigmoid_table():
    table = sigmoid_table()
    assert table[0] == 0 and table[128] == 128 and table[255] == 255
    assert (table.diff() >= 0).all()
    finer = sigmoid_table(0.25)
    assert finer[128] == finer[255] == 255 and finer[96] == round(1024 / (1 + math.exp(2)))


def test_best_gate_is_finer_where_gates_are_small():
    torch.manual_seed(0)
    values, logits, ones = torch.randn(4000) * 0.3, torch.randn(4000) * 0.4, torch.ones(4000)
    for mean, scale in ((-2, 0.01), (-2, 0.1), (2, 0.01)):
        gates = torch.sigmoid(logits + mean)

        def error(greatest):
            steps = (values / scale * (gates / greatest).clamp(max=1)).round()
            return (steps * scale * greatest - values * gates).square().mean()

        best = best_gate((gates, ones), (values * gates, ones), scale)
        assert error(best) <= 1.02 * min(map(error, (0.1, 0.2, 0.4, 0.7, 1.0)))
        assert best > 0.9 if mean > 0 else best < 0.4


def test_gradients_are_of_what_gates_make(make_net, make_footage):
    """The smooth twin of a gated product, which gradients come from, is where the integers are."""
    net = make_net(2)
    for name, gate in net.named_buffers():
        if name.startswith("gate_"):
            gate.fill_(0.4)  # so that some are cut off
    seen = []

    def gated(*arguments, of=net.gated):
        with monkeypatched(net, "exactly", lambda linear, exact: seen.append((linear - exact).abs().max()) or exact):
            return of(*arguments)

    with torch.no_grad(), monkeypatched(net, "gated", gated):
        net(torch.from_numpy(make_footage(3, 24, 24)).float()[None] / 255)
    assert len(seen) == 8 and max(seen) < 4


def test_gates_of_what_weighs_more_count():
    torch.manual_seed(0)
    gates = torch.cat((torch.rand(2000) * 0.1, torch.rand(2000)))
    values = torch.randn(4000) * torch.cat((torch.full((2000,), 0.1), torch.ones(2000)))
    plain = torch.ones(4000)
    some, others = (torch.cat(w) for w in ((plain[:2000], 0 * plain[2000:]), (0 * plain[:2000], plain[2000:])))
    assert best_gate((gates, plain), (values * gates, plain), 0.01) > 0.8
    assert best_gate((gates, some), (values * gates, some), 0.01) < 0.2
    assert best_gate((gates, others), (values * gates, others), 0.01) > 0.8
    loud, quiet = (best_gate((gates, plain), (values * gates, weights), 0.1) for weights in (others, some))
    assert quiet < loud  # what products weigh is what cutting gates off costs


@pytest.mark.parametrize("name", ["sampled1", "att0"])
def test_gates_that_are_small_lose_no_bits(make_net, make_footage, name):
    net = make_net(2)
    window = torch.from_numpy(make_footage(3, 24, 24)).float()[None] / 255
    op = next(op for op in net.graph.operations() if op.out == name)
    with torch.no_grad():
        for source in op.inputs[1:] if op.op == "deform" else [op.inputs[0].split(".")[-1]]:
            conv = net.convs[source]
            taps = op.groups * op.kernel**2 if op.op == "deform" else 0
            conv.weight[2 * taps :] *= 0.1
            conv.bias[2 * taps :] = -3 if op.op == "deform" else conv.bias * 0.1
    net.calibrate([window])
    greatest = net.greatest(op)
    assert greatest < 0.2 if op.op == "deform" else 0.4 < greatest < 0.7
    exact = Net(net.graph)
    exact.load_state_dict(net.state_dict(), strict=False)
    with torch.no_grad():
        fine = (net.residual(window) - exact.residual(window)).square().mean()
        getattr(net, f"gate_{name}").fill_(1.0)
        coarse = (net.residual(window) - exact.residual(window)).square().mean()
    assert fine < coarse


def rounded(x, low, high, levels):
    scale, zero = grid(low, high, levels)
    return (((x / scale).round() + zero).clamp(0, levels) - zero) * scale


@pytest.mark.parametrize("levels, gain", [(15, 0.7), (255, 1.0)])
def test_best_range_loses_less_than_the_whole_range(levels, gain):
    torch.manual_seed(0)
    x = torch.nn.functional.leaky_relu(torch.randn(20000) ** 3, 0.1)
    low, high = best_range(x, torch.ones(20000), levels)
    whole = x.min().item(), x.max().item()
    assert whole[0] <= low <= 0 <= high <= whole[1]
    errors = [(rounded(x, *bounds, levels) - x).square().mean() for bounds in ((low, high), whole)]
    assert errors[0] < gain * errors[1]


def test_wider_ranges(make_net):
    net, wider = make_net(2), make_net(2)
    wider.widen_ranges(1.5)
    for (name, a), (_, b) in zip(net.named_buffers(), wider.named_buffers()):
        torch.testing.assert_close(b, 1.5 * a if name.startswith("range_") else a)


def test_best_range_of_positive_values_starts_at_zero():
    low, high = best_range(torch.rand(1000) + 1, torch.ones(1000), 255)
    assert low == 0 and high == pytest.approx(2, abs=0.05) and grid(low, high, 255)[1] == 0


def test_what_weighs_more_is_rounded_finer():
    torch.manual_seed(0)
    values = torch.cat((torch.randn(5000), torch.randn(5000) * 0.02))
    faint = torch.cat((torch.ones(5000), torch.full((5000,), 2500.0)))
    low, high = best_range(values, faint, 255)
    wide = best_range(values, torch.ones(10000), 255)
    assert low > 0.9 * wide[0] and high < 0.9 * wide[1]
    errors = [((rounded(values, *bounds, 255) - values).square() * faint).mean() for bounds in ((low, high), wide)]
    assert errors[0] < 0.9 * errors[1]


def test_windows_weigh_by_their_residual(make_net, make_footage):
    net = make_net(2)
    window = torch.from_numpy(make_footage(3, 24, 24)).float()[None] / 255
    seen = net.observe([torch.cat((window, 0.5 + window / 8)), window])
    plain = Net(net.graph)
    plain.load_state_dict(net.state_dict(), strict=False)
    with torch.no_grad():
        strong, faint = (plain.residual(w).square().mean().item() for w in (window, 0.5 + window / 8))
    values, weights = seen.of(seen.values, "block0")
    assert len(values) == len(weights) and weights.mean().item() == pytest.approx(1)
    first, second = (some.shape[1] for some, *_ in seen.values["block0"][::3])
    runs = weights[:first], weights[first : 2 * first], weights[6 * first : 6 * first + second]
    assert all((w == w[0]).all() for w in runs)
    assert (runs[1][0] / runs[0][0]).item() == pytest.approx((strong + NOTHING) / (faint + NOTHING), rel=1e-3)
    assert runs[2][0].item() == pytest.approx(runs[0][0].item(), rel=1e-4)


def test_extremes_of_all_batches_are_among_what_is_kept(make_net, monkeypatch):
    monkeypatch.setattr("compress.quant.OBSERVED", 16)
    torch.manual_seed(0)
    seen = make_net(2).observe(torch.rand(3, 1, 3, 24, 24))
    op = next(op for op in seen.graph.operations() if op.out == "block0")
    seen.values.clear()
    tensors = [torch.randn(2, 4, 8, 8) for _ in range(3)]
    tensors[1][1, 2, 3, 4], tensors[1][0, 1, 5, 6] = -90, 70
    for seen.weights, tensor in zip(([], [torch.ones(2)], [torch.ones(2)] * 2), tensors):
        seen.keep(seen.values, op, tensor)
    seen.weights = [torch.ones(2)] * 3
    values, weights = seen.of(seen.values, "block0")
    assert (values == -90).sum() == 1 and (values == 70).sum() == 1 and values.min() == -90 and values.max() == 70
    assert len(values) == 3 * 2 * len(tensors[0][0].flatten()[:: seen.step(512, 16)]) + 2 and (weights == 1).all()


@pytest.mark.parametrize("name", ["residual", "block0a"])
def test_steps_of_products_are_not_coarser_than_the_output(make_net, make_footage, name):
    """The contract's multipliers are below 1: they could not stand for it, and the output would be too small."""
    net = make_net(2, bits=(4,))
    net.convs[name].weight.data.mul_(4)
    net.calibrate([torch.from_numpy(make_footage(3, 24, 24)).float()[None] / 255])
    if name != "residual":
        getattr(net, f"range_{name}").mul_(0.05)
    found = {}
    net.walk(lambda stage, op, inputs: op.op == "conv" and found.update({op.out: net.conv_parameters(op, inputs)}))
    assert all(p["ratio"].max() < 1 and p["mult"].max() <= 32767 for p in found.values())
    ratio, weight = found[name]["ratio"], found[name]["weight"]
    assert ratio.max() > 0.999 and (weight.abs().amax((1, 2, 3)) >= 7).all()  # what is larger is cut off


def test_best_clips_by_what_the_inputs_are():
    torch.manual_seed(0)
    weight, inputs = torch.randn(8, 36) ** 3, torch.randn(500, 36) * torch.linspace(0.01, 1, 36)
    clips = best_clips(weight, 7, inputs.T @ inputs)

    def error(parts):
        scale = (weight.abs().amax(1) * parts / 7)[:, None]
        return (((weight / scale).round().clamp(-8, 7) * scale - weight) @ inputs.T).square().mean()

    assert (clips < 1).any() and error(clips) < 0.95 * error(torch.ones(8))


def test_four_bit_activations_have_sixteen_values(make_net, make_footage):
    net = make_net(2, tops=(15,))
    values = net.run("frame", {"luma": torch.from_numpy(make_footage(1, 24, 24)).float()[None] / 255})
    for op in net.graph.frame[1:]:
        q = values[op.out].q
        assert values[op.out].max == 15 and q.min() >= 0 and 8 <= q.max() <= 15, op.out
