"""The card says what was measured, and only replaces its own part of the file."""

import re

import numpy as np
import pytest
import torch

from compress import card
from compress.export import export
from compress.train import checkpoint


@pytest.fixture
def models(make_net, make_footage, write_video, tmp_path):
    for bench in card.BENCHES.values():
        (tmp_path / bench).mkdir()
        write_video(tmp_path / bench / f"{bench}-clip.mkv", make_footage(6, 48, 64))
    net = make_net(2)
    file = tmp_path / "landscape-x2-balanced.safetensors"
    export(net, file, "landscape", "balanced", {})
    torch.save(checkpoint(net, average=net.state_dict()), card.float_file(card.read_config(file.stem), tmp_path))
    return file, net


def test_card_and_chart(models, tmp_path, monkeypatch):
    file, net = models
    readme, picture = tmp_path / "README.md", tmp_path / "quality.png"
    readme.write_text(f"before\n{card.BEGIN}old\n{card.END}after\n")
    arguments = ["card", str(file), "--data", str(tmp_path), "--float", str(tmp_path)]
    monkeypatch.setattr("sys.argv", [*arguments, "--card", str(readme), "--chart", str(picture)])
    card.main()
    text = readme.read_text()
    assert text.startswith(f"before\n{card.BEGIN}") and text.endswith(f"{card.END}after\n") and "old" not in text
    row = card.properties(file)
    assert 0.9 * net.graph.macs() < row["macs"] <= net.graph.macs()
    assert f"| landscape-x2-balanced | 3 | {row['macs']:.0f} | 8.0 | 8 | {row['density']:.0%} |" in text
    values = {name: re.search(rf"\| {name} \| ([\d.]+) / .*\| ([\d.]+) / [\d.]+ \|", text).groups() for name in
              ("landscape-x2-balanced", "landscape-x2-balanced, float", "bicubic x2")}  # fmt: skip
    assert all(psnr == mean for psnr, mean in values.values())  # of one clip
    assert values["bicubic x2"] != values["landscape-x2-balanced"]
    assert "| x2 | vid4: noise, 2 | vid4: H.264, crf 23 | vid4: both | portrait: noise, 2 | portrait: H.264, crf 23 |" in text
    assert len(re.findall(r"\| (?:landscape-x2-balanced|bicubic x2) (?:\| \d\d\.\d\d ){6}\|", text)) == 2
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_degraded_frames_are_what_is_enlarged(make_footage, write_video, tmp_path):
    write_video(tmp_path / "clip.mkv", make_footage(6, 48, 64))
    clips, seen = {"portrait": [tmp_path / "clip.mkv"]}, []

    def method(small):
        seen.append(small)
        return card.bicubic(small, 2)

    results = card.measure_degraded(method, clips, 2)
    large, small = card.read_clip(tmp_path / "clip.mkv", 2)
    noise, stream, both = (frames.astype(float) - small for frames in seen)
    assert noise.std() == pytest.approx(card.DEVIATION, rel=0.1) and noise[1].std() == pytest.approx(noise[0].std(), rel=0.1)
    assert stream.any() and not np.array_equal(stream, both)
    assert list(results) == [("portrait", name) for name in card.DEGRADATIONS]
    assert list(results.values()) == [card.score(card.bicubic(frames, 2), large)[0] for frames in seen]


def test_model_that_no_configuration_makes(models, tmp_path):
    file = models[0].rename(tmp_path / "mine.safetensors")
    clips = {scene: sorted((tmp_path / bench).glob("*.mkv")) for scene, bench in card.BENCHES.items()}
    rows = card.figures([file], clips, tmp_path)
    assert "float" not in rows["mine"] and rows["mine"]["element"]


def test_card_without_marks_is_left_alone(models, tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text("no marks")
    monkeypatch.setattr("sys.argv", ["card", str(models[0]), "--data", str(tmp_path), "--card", str(readme)])
    with pytest.raises(SystemExit, match="no marks"):
        card.main()
    assert readme.read_text() == "no marks"
    readme.unlink()
    with pytest.raises(SystemExit, match="README.md cannot be read"):
        card.main()


def test_flicker():
    frame = np.full((12, 16), 100.0)
    assert card.flicker(lambda small: card.bicubic(small, 2), frame, 2) == pytest.approx(1)
    twice = card.flicker(lambda small: 2.0 * card.bicubic(small, 2), frame, 2)
    assert twice == pytest.approx(2)
    calm = card.flicker(lambda small: np.zeros((len(small), 24, 32)), frame, 2)
    assert calm == 0


def test_sparse_and_mixed_models_are_described(make_net, tmp_path):
    net = make_net(2, bits=(4, 8), tops=(15, 255))
    file = tmp_path / "model.safetensors"
    for conv in net.convs.values():
        conv.weight.data[:, : conv.weight.shape[1] // 4 * 4][:, :4] = 0
    export(net, file, "landscape", "saver", {})
    row = card.properties(file)
    assert row["density"] < 0.9 and row["macs"] < net.graph.macs()
    assert 4 < row["weight bits"] < 8 and set(row["activation bits"]) == {4, 8}
    assert row["scene"] == "landscape" and row["rung"] == "saver" and row["bytes"] == file.stat().st_size
