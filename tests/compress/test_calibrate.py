"""Models come back from their files as they went, and new ranges suit new footage."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from compress import calibrate
from compress.calibrate import calibrated, concatenated, error
from compress.export import export, pack_bits
from compress.footage import FootageError, windows_of
from compress.restore import ModelError, restore, unpack_bits


@pytest.fixture
def dark(make_footage):
    return (make_footage(24, 48, 40) // 16 + 16).astype(np.uint8)


@pytest.fixture
def flat(make_footage):
    return (make_footage(24, 48, 40) // 64 + 40).astype(np.uint8)


def windows(frames, count):
    return [torch.from_numpy(frames[i : i + 3]).float()[None] / 255 for i in range(count)]


@pytest.mark.parametrize("bits", [4, 6])
def test_unpacking(bits):
    values = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 123)
    np.testing.assert_array_equal(unpack_bits(pack_bits(values, bits), bits, 123), values)


@pytest.mark.parametrize("options", [{}, dict(bits=(8, 6, 4), tops=(255, 15)), dict(unshuffle=2, window=5), dict(follow=True)])
def test_a_restored_model_is_exported_as_it_was(tmp_path, make_net, options):
    net = make_net(2, **options)
    files = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    with torch.no_grad():
        net.convs["down2"].weight[:, :4] = 0  # quads that the file leaves out
    export(net, files[0], "landscape", "test", {})
    assert "frame.down2.mask" in load_file(files[0])
    again, metadata = restore(files[0])
    gates = {name: gate.item() for name, gate in net.named_buffers() if name.startswith("gate_")}
    assert gates and min(gates.values()) < 1
    assert gates == pytest.approx({name: again.get_buffer(name).item() for name in gates})
    export(again, files[1], metadata["dssr.scene"], metadata["dssr.rung"], json.loads(metadata["dssr.provenance"]))
    first, second = map(load_file, files)
    assert first.keys() == second.keys()
    for name, values in first.items():
        loose = name.split(".")[-1] in ("mult", "mult_neg", "bias")  # the least scale of a row is a part of the greatest
        np.testing.assert_allclose(second[name], values, rtol=2e-4 if loose else 0, atol=1 if loose else 0, err_msg=name)
    assert json.loads(restore(files[1])[1]["dssr.graph"]) == json.loads(metadata["dssr.graph"])


@pytest.mark.parametrize("kind", ["dark", "flat"])
def test_calibration_gains_and_changes_only_ranges(make_net, request, kind):
    footage = request.getfixturevalue(kind)
    net = make_net(2)
    before = copy.deepcopy(net.state_dict())
    best, was, now = calibrated(net, windows(footage, 8)[::2], windows(footage, 8)[1::2])
    assert now < 0.8 * was and now == pytest.approx(error(best, windows(footage, 8)[1::2]))
    for name, values in best.state_dict().items():
        assert torch.equal(values, before[name]) or name.startswith(("range_", "gate_")), name
    if kind == "dark":
        assert any(not torch.equal(values, before[n]) for n, values in best.state_dict().items() if n.startswith("gate_"))


def test_ranges_that_fit_are_kept(make_net, make_footage, monkeypatch):
    net = make_net(2)
    monkeypatch.setattr("compress.quant.best_range", lambda values, weights, levels: [-100.0, 100.0])
    best, was, now = calibrated(net, windows(make_footage(8, 24, 24), 4), windows(make_footage(8, 24, 24, 1), 4))
    assert best is net and was == now


def test_tied_ranges_leave_the_integers_of_weights(tmp_path, make_net, dark):
    net = make_net(2)
    tied = concatenated(net.graph)
    assert {"block0", "off2", "off3", "dcn1"} <= tied and "block0a" not in tied
    seen, changed = net.observe(windows(dark, 2)), copy.deepcopy(net)
    changed.choose_ranges(seen)
    for name in tied & {op.out for op in net.graph.operations()}:
        if hasattr(net, f"range_{name}"):
            getattr(changed, f"range_{name}").copy_(getattr(net, f"range_{name}"))
    files = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for file, of in zip(files, (net, changed)):
        export(of, file, "landscape", "test", {})
    first, second = map(load_file, files)
    assert all((first[n] == second[n]).all() for n in first if n.endswith(".weight"))
    assert any((first[n] != second[n]).any() for n in first if n.endswith(".mult"))


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["calibrate", *map(str, arguments)])
    calibrate.main()


def test_command(tmp_path, make_net, dark, monkeypatch, capsys, write_video):
    model, video, out = tmp_path / "a.safetensors", tmp_path / "dark.mkv", tmp_path / "b.safetensors"
    export(make_net(2), model, "portrait", "test", {"data": "none"})
    write_video(video, dark)
    run(monkeypatch, "--model", model, "--video", video, "--out", out, "--places", 6, "--side", 32)
    assert "smaller" in capsys.readouterr().out
    net, metadata = restore(out)
    provenance = json.loads(metadata["dssr.provenance"])
    assert provenance["calibrated"]["footage"] == ["dark.mkv"] and provenance["data"] == "none"
    assert provenance["calibrated"]["error_after"] < provenance["calibrated"]["error_before"]
    assert metadata["dssr.scene"] == "portrait"


def test_errors_name_the_file_and_what_to_do(tmp_path, make_net, monkeypatch, write_video):
    model, video = tmp_path / "a.safetensors", tmp_path / "v.mkv"
    export(make_net(2), model, "landscape", "test", {})
    video.write_bytes(b"no video")
    with pytest.raises(SystemExit, match="v.mkv cannot be decoded.*give"):
        run(monkeypatch, "--model", model, "--video", video, "--out", tmp_path / "b")
    with pytest.raises(SystemExit, match="v.mkv is not a model file.*give"):
        run(monkeypatch, "--model", video, "--video", video, "--out", tmp_path / "b")
    write_video(video, np.zeros((2, 16, 16), np.uint8))
    with pytest.raises(FootageError, match="fewer than 3 frames"):
        list(windows_of(video, 3, 4, 16))
    assert not (tmp_path / "b").exists()


def test_a_file_without_scales(tmp_path, make_net):
    from safetensors.numpy import save_file

    model = tmp_path / "old.safetensors"
    export(make_net(2), model, "landscape", "test", {})
    metadata = restore(model)[1]
    del metadata["dssr.scales"]
    save_file(load_file(model), model, metadata)
    with pytest.raises(ModelError, match="old.safetensors.*export it anew"):
        restore(model)


def test_windows_are_luma_as_it_is_stored(tmp_path, make_footage, write_video):
    frames = make_footage(40, 32, 48)
    for codec, pix_fmt in (("ffv1", "gray"), ("ffv1", "yuv420p")):
        video = tmp_path / f"{pix_fmt}.mkv"
        write_video(video, frames, codec, pix_fmt)
        found = list(windows_of(video, 3, 5, 64))
        assert len(found) == 5 and all(w.shape == (3, 32, 48) for w in found)
        if pix_fmt == "gray":
            starts = [next(i for i in range(38) if (frames[i : i + 3] == w).all()) for w in found]
            assert starts == sorted(starts) and starts[0] == 0 and starts[-1] >= 24
