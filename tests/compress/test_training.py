"""Packing, training and resuming, on pictures made here."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from compress.data import Batches, fade, shrinking
from compress.degrade import BOTH, NOISE, STREAM, degraded, encoded, noisy
from compress.net import sample
from compress.pack import SIDE, WINDOW, path
from compress.reference import BICUBIC, bicubic, bicubic_fixed
from compress.optimiser import orthogonal
from compress.losses import DECAY, NOTHING, WEIGHT, picture_loss
from compress.train import checkpoint, learning_rate, load


def run(module, *arguments):
    command = [sys.executable, "-m", f"compress.{module}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    stills = folder / "stills" / "landscape"
    stills.mkdir(parents=True)
    (folder / "clips" / "landscape").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(2):
        noise = Image.fromarray(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
        noise.resize((1280, 960), Image.BICUBIC).save(stills / f"{i}.png")
    result = run("pack", "--data", folder, "--out", folder / "train.npy", "--per-still", 8)
    assert result.returncode == 0, result.stderr
    return folder / "train.npy"


def test_pack(packed):
    samples = np.load(packed)
    assert samples.shape[1:] == (WINDOW, SIDE, SIDE) and samples.dtype == np.uint8
    assert len(samples) == 16
    assert (samples[:, 0] != samples[:, -1]).any((1, 2)).mean() > 0.5, "nothing moves"


def test_most_motion_is_what_neighbours_help_with():
    rng = random.Random(1)
    speeds = np.array([np.hypot(*(np.array(path(rng, WINDOW))[1])) for _ in range(4000)])
    assert 0.04 < np.mean(speeds == 0) < 0.06
    slow = speeds[(speeds > 0) & (speeds <= 3)]
    assert 0.75 < len(slow) / len(speeds) < 0.9
    assert 1.2 < np.median(slow) < 1.6
    assert 15 < speeds.max() <= 20


def test_pack_without_pictures(tmp_path):
    for kind in ("stills", "clips"):
        (tmp_path / kind / "landscape").mkdir(parents=True)
    result = run("pack", "--data", tmp_path, "--out", tmp_path / "x.npy")
    assert result.returncode != 0 and "stills" in result.stderr


def test_pack_of_no_clips_opens_none(packed, tmp_path):
    (tmp_path / "stills").symlink_to(packed.parent / "stills")
    (tmp_path / "clips" / "landscape").mkdir(parents=True)
    (tmp_path / "clips" / "landscape" / "no.mkv").write_text("no video")
    for per_clip in (0, 1):
        result = run("pack", "--data", tmp_path, "--out", tmp_path / "x.npy", "--per-still", 1, "--per-clip", per_clip)
        assert (result.returncode == 0) == (per_clip == 0)


def test_batches(packed):
    low, high = Batches(packed, 4, 6, 128, seed=1).next()
    assert low.shape == (6, WINDOW, 32, 32) and high.shape == (6, 128, 128)
    mean = torch.nn.functional.avg_pool2d(high[:, None], 4)[:, 0]
    assert (low[:, WINDOW // 2] - mean).abs().mean() < 0.02, "the two are not of the same place"


def test_motion_is_where_neighbours_have_the_centre(packed):
    batches = Batches(packed, 2, 24, 128, seed=1)
    moved = still = 0.0
    for _ in range(3):
        low, _ = batches.next()
        for i, neighbour in enumerate((0, 2)):
            shift = torch.nn.functional.interpolate(batches.motion[:, i], size=(64, 64), mode="bilinear") / 2
            there = sample(low[:, neighbour, None], shift[:, :1], shift[:, 1:], 1, 1)
            error, before = ((x[:, 0] - low[:, 1])[:, 12:-12, 12:-12].abs().mean() for x in (there, low[:, neighbour, None]))
            moved, still = moved + error.item(), still + before.item()
    assert moved < 0.5 * still


def test_train_resume_quantise(packed, tmp_path):
    common = ["--data", packed, "--batch", 2, "--side", 64]
    float_file = tmp_path / "float.pt"
    config = tmp_path / "small.toml"
    config.write_text("scale = 2\n[network]\nchannels = [8, 8, 8]\noffset_channels = [4, 4, 4]\n")
    train = ["train", *common, "--config", config, "--out", float_file]
    assert run(*train, "--minutes", 0.05).returncode == 0
    first = torch.load(float_file)
    assert run(*train, "--minutes", 0.1).returncode == 0
    second = torch.load(float_file)
    assert second["step"] > first["step"] > 0 and second["seconds"] >= 6 > first["seconds"] >= 3
    steps = second["step"] + 3
    assert run(*train, "--steps", steps).returncode == 0
    assert torch.load(float_file)["step"] == steps

    quantised, model = tmp_path / "int.pt", tmp_path / "model.safetensors"
    result = run("quantise", *common, "--float", float_file, "--out", quantised, "--minutes", 0.05)
    assert result.returncode == 0, result.stderr
    result = run("export", "--checkpoint", quantised, "--scene", "portrait", "--rung", "saver", "--out", model)
    assert result.returncode == 0, result.stderr
    assert model.stat().st_size < 250_000


def test_learning_rate():
    assert learning_rate(0, 0.0) < 0.1 and learning_rate(200, 0.02) == learning_rate(9000, DECAY) == 1
    assert learning_rate(9000, 1.0) < 0.01


def test_muon_steps_are_orthogonal():
    torch.manual_seed(0)
    for shape in ((3, 8, 72), (2, 16, 16), (1, 12, 4)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(*shape)))
        assert 0.5 < values.min() and values.max() < 1.3


def test_shrinking_is_antialiased_bicubic():
    picture = torch.rand(1, 1, 40, 40)
    expected = torch.nn.functional.interpolate(picture, scale_factor=0.25, mode="bicubic", antialias=True)
    matrix = shrinking(40, 4)
    assert (matrix @ picture @ matrix.T - expected).abs().max() < 1e-5


def test_degraded_batches(packed):
    plain, worse = Batches(packed, 2, 6, 128, seed=1), Batches(packed, 2, 6, 128, seed=1, degraded=0.5)
    clean, high = plain.next()
    low, same = worse.next()
    changed = (low != clean).flatten(1).any(1)
    assert torch.equal(same, high) and 0 < changed.sum() < 6
    assert 0 <= low.min() and low.max() <= 1
    assert worse.motion[changed].isnan().all(), "some may stand still"
    assert torch.equal(worse.motion[~changed], plain.motion[~changed])


class Choices(np.random.Generator):
    """Randomness, but for the kind of harm and whether the scene stands still."""

    def integers(self, low, high=None):
        return self.kind if high is None else super().integers(low, high)

    def random(self):
        return 0.0 if self.still else 1.0


@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("kind", [NOISE, STREAM, BOTH])
def test_degradation(kind, still):
    rng = Choices(np.random.PCG64(1))
    rng.kind, rng.still = kind, still
    y, x = np.mgrid[:32, :48]
    window = np.stack([128 + 60 * np.sin(x / 3 + t) * np.cos(y / 4) for t in range(WINDOW)]).round().astype(np.uint8)
    for _ in range(8):
        harmed = degraded(window, rng).astype(float) - (window[[WINDOW // 2] * WINDOW] if still else window)
        assert harmed.shape == window.shape and harmed.any()
        deviations = np.sqrt(np.square(harmed).mean((1, 2)))
        assert deviations.max() < 12
        if kind == NOISE:
            assert abs(deviations / harmed.std() - 1).max() < 0.1, "not of one deviation"


def test_faded_batches(packed):
    _, plain = Batches(packed, 2, 24, 128, seed=1).next()
    low, high = Batches(packed, 2, 24, 128, seed=1, faded=1.0).next()
    contrast = high.std((1, 2)).sort()[0]
    assert contrast[0] < 0.3 * plain.std((1, 2)).max()
    small = torch.nn.functional.interpolate(high[:, None], scale_factor=0.5, mode="bicubic", antialias=True)[:, 0]
    assert ((small - low[:, 1])[:, 4:-4, 4:-4].abs() * 255).max() < 1.1  # faded before it is made small


def test_fading():
    clip = np.arange(60, 120, dtype=np.uint8).reshape(3, 4, 5)
    faded = fade(clip, 0.25, 100).astype(float)
    assert faded.mean() == pytest.approx(100, abs=0.5) and np.ptp(faded) == pytest.approx(0.25 * 59, abs=1)
    assert (np.sort(faded.ravel()) == faded.ravel()).all()


def test_ranges_are_of_samples_that_are_not_faded(packed, tmp_path, make_net):
    net = make_net(2)
    torch.save(checkpoint(net, average=net.state_dict()), tmp_path / "float.pt")
    ranges = []
    for faded in (0, 1):
        out = tmp_path / f"{faded}.pt"
        common = ("--data", packed, "--batch", 2, "--side", 32, "--seed", 1, "--steps", 1)
        result = run("quantise", *common, "--float", tmp_path / "float.pt", "--out", out, "--faded", faded)
        assert result.returncode == 0, result.stderr
        ranges.append({k: v for k, v in torch.load(out)["average"].items() if k.startswith("range_")})
    assert all(torch.equal(v, ranges[1][k]) for k, v in ranges[0].items())


def test_finished_networks_are_left_alone(packed, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("scale = 2\n[network]\nchannels = [4, 4, 4]\n")
    out = tmp_path / "net.pt"
    command = [sys.executable, "-m", "compress.train", "--config", config, "--data", packed, "--out", out, "--batch", "2"]
    subprocess.run([*command, "--steps", "2"], check=True, capture_output=True)
    state = torch.load(out)
    del state["optimiser"]
    torch.save(state, out)
    before = out.read_bytes()
    said = subprocess.run([*command, "--steps", "4"], check=True, capture_output=True, text=True).stdout
    assert "--init" in said and out.read_bytes() == before


def test_noise_is_another_in_each_frame():
    frames = np.full((2, 64, 64), 128, np.uint8)
    harmed = noisy(frames, 2, np.random.default_rng(1)).astype(float) - 128
    assert harmed.std((1, 2)) == pytest.approx(2, rel=0.05)
    assert abs(np.corrcoef(harmed.reshape(2, -1))[0, 1]) < 0.1


def test_codec_predicts_frames():
    y, x = np.mgrid[:48, :64]
    still = np.stack([(128 + 60 * np.sin(x / 3) * np.cos(y / 4)).astype(np.uint8)] * 4)
    errors = [np.square(encoded(still, crf).astype(float) - still).mean() for crf in (10, 25, 40)]
    assert errors == sorted(errors) and 0 < errors[0] < 4 < errors[2]
    assert encoded(still, 25).shape == still.shape and encoded(still, 25).dtype == np.uint8
    moving = np.stack([np.roll(still[0], 3 * t, 1) for t in range(4)])
    near = np.square(encoded(moving, 15).astype(float) - moving).mean((1, 2))
    assert near.max() < 10, "frames came out in another order"


def test_bicubic_is_the_contract():
    assert BICUBIC.sum(1).tolist() == [128.0] * 16
    assert BICUBIC[4].tolist() == [-9, 111, 29, -3] and BICUBIC[12].tolist() == [-3, 29, 111, -9]
    luma = torch.randint(0, 256, (1, 5, 7))
    for scale in (2, 4):
        fixed = bicubic_fixed(luma, scale) / 2**13
        assert (fixed - bicubic(luma[:, None].float(), scale)[:, 0]).abs().max() < 0.02


def test_bicubic_is_near_pillow():
    ramp = Image.fromarray(np.add.outer(np.arange(12), np.arange(16)).astype(np.float32) * 8, "F")
    expected = np.asarray(ramp.resize((32, 24), Image.BICUBIC))
    result = bicubic(torch.from_numpy(np.array(ramp))[None, None], 2)[0, 0].numpy()
    assert np.abs(result - expected)[4:-4, 4:-4].max() < 0.2


def test_loss_is_the_mean_of_psnr():
    truth = torch.rand(5, 8, 8)
    pictures = truth + torch.tensor([0.01, 0.1, 0.02, 0.2, 0.05]).view(-1, 1, 1) * torch.randn(5, 8, 8)
    psnr = -10 * torch.log10(((pictures - truth) ** 2).mean((1, 2)) + NOTHING).mean().item()
    best = -10 * np.log10(NOTHING)
    assert picture_loss(pictures, truth).item() == pytest.approx(WEIGHT * (best - psnr) * np.log(10) / 10, rel=1e-3)
    assert picture_loss(truth, truth) == 0


def test_faint_pictures_count_as_much():
    truth = torch.rand(2, 8, 8)
    pictures = (truth + torch.tensor([0.02, 0.2]).view(-1, 1, 1) * torch.randn(2, 8, 8)).requires_grad_()
    picture_loss(pictures, truth).backward()
    faint, strong = ((pictures - truth) * pictures.grad).sum((1, 2)).tolist()
    assert faint == pytest.approx(strong, rel=0.1)


def test_no_checkpoint(tmp_path):
    with pytest.raises(SystemExit, match="none.pt cannot be read: No such file"):
        load(tmp_path / "none.pt")
    torch.save({"params": {}}, tmp_path / "other.pt")
    whole = (tmp_path / "other.pt").read_bytes()
    for content in (b"", b"# README", whole, whole[:100]):
        (tmp_path / "bad.pt").write_bytes(content)
        with pytest.raises(SystemExit, match="bad.pt is no checkpoint of compress"):
            load(tmp_path / "bad.pt")
