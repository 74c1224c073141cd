"""A model from pictures to file by one command, and what is said when there is no such model."""

import sys
import tomllib

import numpy as np
import pytest
from PIL import Image

from compress import build

BASE = "scale = 2\nminutes = 0.03\nguide = 0.05\n[network]\nchannels = [8, 8, 8]\noffset_channels = [4, 4, 4]\nfuse_blocks = 1\n"
MODEL = """
scale = 2
base = "base-small"
scene = "portrait"
rung = "saver"
budget = 1500
density = 0.5
average_bits = 5
activation_bits = 8

[minutes]
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


def test_scenes_share_what_is_cut_and_are_tuned_from_there():
    config = dict(tomllib.loads(MODEL), base="base-x4", minutes=dict.fromkeys(("channels", "quads", "scene", "integer"), 1))
    ways = []
    for scene in ("landscape", "portrait"):
        steps = build.steps(scene, dict(config, scene=scene), build.ROOT, "data")
        ways.append({what: (out, list(map(str, command))) for what, out, command in steps})
    for shared in ("base-x4", "base-x4-saver-channels", "quads"):
        assert ways[0][shared] == ways[1][shared]
    for way in ways:
        _, tune = way["scene"]
        assert tune[tune.index("--init") + 1] == str(way["quads"][0])
        assert tune[tune.index("--teacher") + 1] == str(way["base-x4"][0])
        assert tune[tune.index("--guide") + 1] == str(build.read_config("base-x4")["guide"])
    assert ways[0]["scene"][0] != ways[1]["scene"][0]


def test_rungs_are_cut_one_out_of_the_other():
    def options(command):
        return dict(zip(map(str, command), map(str, command[1:])))

    config = tomllib.loads((build.CONFIGS / "portrait-x2-saver.toml").read_text())
    steps = {what: (out, options(command)) for what, out, command in build.steps("a", config, build.ROOT, "data")}
    order = ["base-x2", *(f"base-x2-{rung}-channels" for rung in ("quality", "balanced", "saver")), "quads"]
    assert [what for what in steps if what in order] == order
    for larger, smaller in zip(order, order[1:]):
        assert steps[smaller][1]["--float"] == str(steps[larger][0])
    assert steps["quads"][1]["--teacher"] == steps["scene"][1]["--teacher"] == str(steps["base-x2-balanced-channels"][0])


def test_base_of_x2_is_one_of_x4_rescaled_and_trained():
    config = tomllib.loads((build.CONFIGS / "landscape-x2-quality.toml").read_text())
    steps = [(what, out, list(map(str, command))) for what, out, command in build.steps("a", config, build.ROOT, "data")]
    (_, x4, train4), (_, start, rescale), (_, x2, train2) = steps[2:5]
    assert train4[train4.index("--config") + 1].endswith("base-x4-cascade.toml")
    assert rescale[:5] == ["rescale", "--float", str(x4), "--scale", "2"]
    assert start == x2 and train2[train2.index("--init") + 1] == str(x2)
    assert train4[train4.index("--side") + 1] == "128" and train2[train2.index("--side") + 1] == "96"


def test_every_config_names_a_base():
    files = [file for file in build.CONFIGS.glob("*-x?-*.toml") if not file.stem.startswith("base-")]
    for file in files:
        config = tomllib.loads(file.read_text())
        assert tomllib.loads((build.CONFIGS / f"{config['base']}.toml").read_text())["scale"] == config["scale"]
        assert file.stem == f"{config['scene']}-x{config['scale']}-{config['rung']}"
    assert len(files) == 12


def test_no_such_model(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["build", "landscape-x3-best"])
    with pytest.raises(SystemExit, match="landscape-x4-balanced"):
        build.main()
