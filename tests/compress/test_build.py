"""A model from pictures to file by one command, and what is said when there is no such model."""

import sys
import tomllib

import numpy as np
import pytest
from PIL import Image

from compress import build

BASE = "scale = 4\nminutes = 0.03\n[network]\nchannels = [8, 8, 8]\noffset_channels = [4, 4, 4]\nfuse_blocks = 1\n"
MODEL = """
scale = 2
base = "base-small"
scene = "portrait"
rung = "saver"
budget = 450
density = 0.5
average_bits = 5
activation_bits = 8

[minutes]
taught = 0.02
tuned = 0.02
scene = 0.02
channels = 0.02
quads = 0.03
integer = 0.02
"""


def test_from_pictures_to_model(tmp_path, monkeypatch):
    for name in ("configs", "checkpoints", "models"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(build, name.upper(), tmp_path / name)
    (tmp_path / "configs" / "base-small.toml").write_text(BASE)
    (tmp_path / "configs" / "small.toml").write_text(MODEL)
    rng = np.random.default_rng(0)
    for scene in ("landscape", "portrait"):
        (tmp_path / "data" / "clips" / scene).mkdir(parents=True)
        (tmp_path / "data" / "stills" / scene).mkdir(parents=True)
        noise = Image.fromarray(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
        noise.resize((1280, 960), Image.BICUBIC).save(tmp_path / "data" / "stills" / scene / "noise.png")
    command = ["build", "small", "--data", str(tmp_path / "data"), "--folder", str(tmp_path / "way")]
    monkeypatch.setattr(sys, "argv", command)
    build.main()
    model = tmp_path / "models" / "small.safetensors"
    first = model.stat().st_mtime_ns
    assert 1000 < model.stat().st_size < 100_000
    build.main()
    assert model.stat().st_mtime_ns == first, "what is there was made again"


def steps_of(name, **changes):
    """(file, options) of each step, by what it makes."""
    steps = build.steps(name, {**build.read_config(name), **changes}, build.ROOT, "data")
    return {what: (out, dict(zip(map(str, command), map(str, command[1:])))) for what, out, command in steps}


def test_scenes_share_what_is_cut_and_are_tuned_from_there():
    ways = [steps_of(f"{scene}-x4-saver", minutes=dict.fromkeys(("channels", "quads", "tuned", "scene", "integer"), 1))
            for scene in ("landscape", "portrait")]  # fmt: skip
    for shared in ("base-x4", "x4-balanced-channels", "x4-saver-channels", "quads", "tuned"):
        assert ways[0][shared] == ways[1][shared]
    for way in ways:
        _, tune = way["scene"]
        assert way["tuned"][1]["--init"] == str(way["quads"][0])
        assert tune["--init"] == str(way["tuned"][0])
        assert way["quads"][1]["--teacher"] == str(way["x4-balanced-channels"][0])
        assert tune["--guide"] == "0" and "--teacher" not in tune
        assert way["bits"][1]["--float"] == way["integer"][1]["--teacher"] == str(way["scene"][0])
    assert ways[0]["scene"][0] != ways[1]["scene"][0]
    for step in ("scene", "integer"):
        landscape, portrait = (float(way[step][1]["--degraded"]) for way in ways)
        assert landscape < portrait


def test_without_a_scene_of_its_own_what_both_share_is_quantised():
    steps = steps_of("landscape-x4-quality")
    assert "scene" not in steps and "rescaled" not in steps
    assert steps["tuned"][1]["--init"] == str(steps["x4-quality-channels"][0])
    assert "--teacher" not in steps["tuned"][1]
    assert steps["bits"][1]["--float"] == steps["integer"][1]["--teacher"] == str(steps["tuned"][0])


def test_models_are_cut_one_out_of_the_other():
    steps = steps_of("portrait-x2-saver")
    order = ["base-x4", *(f"{model}-channels" for model in ("x4-balanced", "x4-saver", "x2-quality", "x2-balanced", "x2-saver")), "quads"]
    assert [what for what in steps if what in order] == order
    for larger, smaller in zip(order, order[1:]):
        assert steps[smaller][1]["--float"] == str(steps[larger][0])


def test_x2_is_cut_at_x4_rescaled_taught_and_trained_on():
    for rung, made in (("saver", "quads"), ("quality", "x2-quality-channels")):
        landscape, portrait = (steps_of(f"{scene}-x2-{rung}") for scene in ("landscape", "portrait"))
        assert landscape[made][1]["--side"] == "128"
        for what, of in (("rescaled", made), ("teacher", "x4-balanced-channels")):
            assert landscape[what][1] == {"rescale": "--scale", "--scale": "2", "2": "--float", "--float": str(landscape[of][0])}
        for what in ("rescaled", "teacher", "taught", "tuned"):
            assert landscape[what] == portrait[what]
        _, teach = landscape["taught"]
        assert teach["--init"] == str(landscape["rescaled"][0]) and teach["--teacher"] == str(landscape["teacher"][0])
        assert teach["--side"] == "96" and "--only-teacher" in teach
        runs = [landscape[f"x2-{rung}-tuned-{seed}"] for seed in (1, 2, 3)]
        config = build.read_config(f"landscape-x2-{rung}")
        commands = {what: command for what, _, command in build.steps("landscape", config, build.ROOT, "data")}
        assert commands["tuned"] == ["average", *(run for run, _ in runs)] and len(set(commands["tuned"])) == 4
        for seed, (_, tune) in enumerate(runs, 1):
            assert tune["--init"] == str(landscape["taught"][0]) and tune["--side"] == "96" and tune["--seed"] == str(seed)
            assert "--only-teacher" not in tune and float(tune["--faded"]) > 0
        assert "--faded" not in portrait["scene"][1]
        for option in ("--only-teacher", "--faded"):
            assert option in landscape["integer"][1] and option not in portrait["integer"][1]
        last = "following" if rung == "quality" else "tuned"
        assert "scene" not in landscape and landscape["bits"][1]["--float"] == str(landscape[last][0])
        assert (last in portrait) == (last == "tuned")
        assert portrait["scene"][1]["--init"] == str(portrait["tuned"][0])


def test_pans_are_followed_with_narrow_offsets():
    steps = steps_of("landscape-x2-quality", follow_rank=12)
    assert steps["narrow"][1]["--float"] == str(steps["tuned"][0]) and steps["narrow"][1]["--rank"] == "12"
    assert steps["following"][1]["--float"] == str(steps["narrow"][0])
    assert steps["integer"][1]["--peak"] == "0.0003" != steps_of("portrait-x2-quality")["integer"][1]["--peak"]
    assert steps["model"][1]["--room"] == "1.2" and steps_of("portrait-x2-quality")["model"][1]["--room"] == "1.0"
    assert steps["bits"][1]["--float"] == steps["integer"][1]["--teacher"] == str(steps["following"][0])


def test_every_config_names_a_base():
    files = [file for file in build.CONFIGS.glob("*-x?-*.toml") if not file.stem.startswith("base-")]
    for file in files:
        config = tomllib.loads(file.read_text())
        assert tomllib.loads((build.CONFIGS / f"{config['base']}.toml").read_text())["scale"] % config["scale"] == 0
        assert file.stem == f"{config['scene']}-x{config['scale']}-{config['rung']}"
    assert len(files) == 12


def test_no_such_model(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["build", "landscape-x3-best"])
    with pytest.raises(SystemExit, match="landscape-x4-balanced"):
        build.main()
