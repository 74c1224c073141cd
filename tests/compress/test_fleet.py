"""Training on an NVIDIA GPU: data that lie there, and networks that start from one another."""

import contextlib
import tomllib

import numpy as np
import pytest
import torch

from compress import build, fleet, pool
from compress.data import shrinking
from compress.edvr import edvr
from compress.follow import following
from compress.net import Net
from compress.train import checkpoint, load


def textures(count, side=48):
    """Samples of which each differs from each, also mirrored and turned."""
    rng = np.random.default_rng(1)
    coarse = torch.from_numpy(rng.uniform(50, 205, (count, 3, side // 4, side // 4))).float()
    return torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(0, 255).byte().numpy()


@pytest.mark.parametrize("scale", (2, 4))
def test_a_batch_holds_a_picture_and_the_same_made_small(scale):
    arrays = pool.prepare(textures(5), scale, copies=0, seed=1, processes=1)
    generator = torch.Generator().manual_seed(1)
    seen = pool.Pool(arrays, "cpu")
    low, high = seen.draw(64, 32, 0.0, 0.0, generator)
    assert low.shape == (64, 3, 32 // scale, 32 // scale) and high.shape == (64, 32, 32)
    shrink = shrinking(32, scale)
    inner = slice(8 // scale, -8 // scale)
    difference = (shrink @ high @ shrink.T - low[:, 1])[:, inner, inner]
    assert difference.abs().max() < 1.01 / 255, difference.abs().max() * 255
    assert len({h.numpy().tobytes() for h in high}) > 50  # mirrored, turned, and from all over the samples
    first, last = (abs(shrink @ high @ shrink.T - low[:, i])[:, inner, inner].mean((1, 2)) for i in (0, 2))
    assert (first > 0.02).all() and (last > 0.02).all()  # the neighbours are other pictures


def test_every_orientation_is_drawn():
    _, high = pool.Pool(pool.prepare(textures(1), 4, 0, 1, 1), "cpu").draw(100, 48, 0.0, 0.0, torch.Generator().manual_seed(1))
    assert len({h.numpy().tobytes() for h in high}) == 8


def test_time_runs_both_ways():
    samples = np.stack([np.full((3, 48, 48), 0, np.uint8) + np.array([10, 20, 30], np.uint8)[:, None, None]])
    low, _ = pool.Pool(pool.prepare(samples, 4, 0, 1, 1), "cpu").draw(40, 32, 0.0, 0.0, torch.Generator().manual_seed(2))
    orders = {tuple((w[:, 0, 0] * 255).round().int().tolist()) for w in low}
    assert orders == {(10, 20, 30), (30, 20, 10)}


def test_a_part_is_degraded():
    samples = textures(6)
    arrays = pool.prepare(samples, 4, copies=20, seed=3, processes=1)
    assert len(arrays["low"]) == 26 and (arrays["owner"][:6] == np.arange(6)).all()
    clean = arrays["low"][arrays["owner"][6:]].astype(float)
    assert 0.3 < np.abs(arrays["low"][6:] - clean).mean() < 20  # other pictures, of the same thing
    drawn = pool.Pool(arrays, "cpu")
    shrink = shrinking(32, 4)
    low, high = drawn.draw(400, 32, 0.4, 0.0, torch.Generator().manual_seed(4))
    rough = ((shrink @ high @ shrink.T - low[:, 1])[:, 2:-2, 2:-2].abs().amax((1, 2)) > 1.5 / 255).float().mean()
    assert 0.25 < rough < 0.5
    pairs = zip((shrink @ high @ shrink.T).flatten(1).numpy(), low[:, 1].flatten(1).numpy())
    assert np.quantile([np.corrcoef(pair)[0, 1] for pair in pairs], 0.02) > 0.2  # and still of the same picture


@pytest.mark.parametrize("scale", (2, 4))
def test_a_part_is_faded(scale):
    arrays = pool.prepare(textures(6), scale, 0, 1, 1)
    (low, high), (_, plain) = (
        pool.Pool(arrays, "cpu").draw(400, 32, 0.0, faded, torch.Generator().manual_seed(4)) for faded in (0.5, 0.0)
    )
    shrink, inner = shrinking(32, scale), slice(8 // scale, -8 // scale)
    assert ((shrink @ high @ shrink.T - low[:, 1])[:, inner, inner].abs() * 255).max() < 2.1  # rounded three times
    contrast = high.std((1, 2)) / plain.std((1, 2))
    assert 0.4 < (contrast < 0.95).float().mean() < 0.6 and contrast.min() == pytest.approx(0.1, abs=0.03)
    assert contrast.max() < 1.01


class Stream:
    def synchronize(self):
        pass


class Event:
    def record(self):
        pass

    def query(self):
        return True


@pytest.fixture
def without_gpu(monkeypatch):
    """Steps run at once on the CPU, in place of CUDA graphs."""
    fakes = dict(Stream=lambda device: Stream(), Event=Event, synchronize=lambda: None)
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(fleet.Runner, "capture", lambda runner: runner.step)
    plain = fleet.Optimiser
    monkeypatch.setattr(fleet, "Optimiser", lambda *args, capturable, **kw: plain(*args, **kw))


def test_the_plan_that_is_kept_can_start():
    plan = tomllib.loads((build.CONFIGS / "fleet.toml").read_text())
    for name, fields in plan.items():
        job = fleet.Job(**fields)
        assert 0 <= job.start < job.end <= 1
        for source in filter(None, (job.init, job.teacher)):
            assert plan[source].get("start", 0) < job.start if source in plan else (build.ROOT / source).exists()
    made = {build.base_file(build.read_config("landscape-x4-quality")).stem}
    for file in build.CONFIGS.glob("*-x?-*.toml"):
        config = build.read_config(file.stem)
        if not file.stem.startswith("base-"):
            made |= {build.tuned_file(config, build.ROOT).stem, build.float_file(config, build.ROOT).stem}
            made.discard(build.following_file(config, build.ROOT).stem)  # made of the tuned one without training
    assert set(plan) == made


def test_networks_that_follow_pans_are_refused(without_gpu, tmp_path):
    """Pools do not shift what they are shown."""
    net = following(Net(edvr(2, channels=(8, 8, 8), fuse_blocks=1)))
    torch.save(checkpoint(net, average=net.state_dict()), tmp_path / "start.pt")
    np.savez(tmp_path / "data-x2.npz", **pool.prepare(textures(20), 2, 0, 1, 1))
    plan = {"net": dict(init=str(tmp_path / "start.pt"), data="data-x2.npz", batch=4, side=32)}
    with pytest.raises(SystemExit, match="start.pt follows pans: train it with compress.train"):
        fleet.Fleet(plan, tmp_path, "cpu").run(1)


def test_data_that_are_missing_are_named(without_gpu, tmp_path):
    with pytest.raises(SystemExit, match="data-x4.npz is missing: make it with compress.pool"):
        fleet.Fleet({"net": dict(init="net.pt", data="data-x4.npz")}, tmp_path, "cpu")


def test_a_plan_is_carried_out(without_gpu, tmp_path):
    torch.manual_seed(1)
    for scale in (2, 4):
        np.savez(tmp_path / f"data-x{scale}.npz", **pool.prepare(textures(20), scale, 0, 1, 1))
    net = Net(edvr(4, channels=(8, 8, 8), fuse_blocks=1))
    start = tmp_path / "start.pt"
    torch.save(checkpoint(net, average=net.state_dict()), start)
    common = dict(batch=4, side=32)
    plan = {
        "large": dict(init=str(start), data="data-x4.npz", end=0.5, **common),
        "small": dict(init="large", data="data-x2.npz", scale=2, start=0.5, teacher="large", truth=0.5, output=0.5, **common),
    }
    ships = fleet.Fleet(plan, tmp_path, "cpu")
    ships.run(3)
    assert all(runner.steps > 5 for runner in ships.runners.values())
    large, small = (load(tmp_path / f"{name}.pt")[0] for name in plan)
    assert (large.graph.scale, small.graph.scale) == (4, 2)
    moved = (large.convs["fused"].weight - net.convs["fused"].weight).abs().max()
    again = (small.convs["fused"].weight - large.convs["fused"].weight).abs().max()
    assert moved > 1e-4 and again > 1e-4
    taught = ships.runners["small"].teacher.state_dict()
    assert torch.equal(taught["convs.fused.weight"], large.state_dict()["convs.fused.weight"])
