"""dssr-upscale says what is wrong and never passes a part off as a whole.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import signal
import subprocess
import time

import av
import pytest
from conftest import BUILD, MODELS


def frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def refused(done, *words):
    assert done.returncode not in (0, None) and done.returncode > 0, 'an error, not a crash'
    assert done.stderr.splitlines()[-1].startswith('dssr-upscale: '), done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize('name', ['out.xyz', 'out', 'mp4', '.mp4.', 'out.avi'])
def test_unknown_container(make_video, upscale, tmp_path, name):
    refused(upscale(make_video(frames=2), tmp_path / name), '.mp4, .mov, .mkv or .webm')
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize('arguments, words', [
    ([], 'INPUT'), (['a.mp4'], 'OUTPUT'), (['a', 'b', 'c'], 'OUTPUT'), (['--scale', '3', 'a', 'b.mp4'], '2 or 4'),
    (['--backend', 'abacus', 'a', 'b.mp4'], 'vulkan'), (['--lookahead', '7', 'a', 'b.mp4'], '0 or 1'),
    (['--threads', '-1', 'a', 'b.mp4'], '64'), (['--nonsense', 'a', 'b.mp4'], 'nonsense'),
    (['no-such-file.mp4', 'b.mp4'], 'no-such-file.mp4'), (['/', 'b.mp4'], 'not a file')])
def test_wrong_arguments(upscale, tmp_path, arguments, words):
    refused(upscale(*arguments, cwd=tmp_path), words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('device', ['99', 'llvmpipe', '/dev/null'])
def test_no_such_device(make_video, upscale, tmp_path, devices, device):
    refused(upscale(make_video(frames=2), tmp_path / 'out.mp4', '--device', device), f'there is no device "{device}"')
    assert not (tmp_path / 'out.mp4').exists()


def test_device_is_of_vulkan(make_video, upscale, tmp_path):
    refused(upscale(make_video(frames=2), tmp_path / 'out.mp4', '--device', '0', '--backend', 'cpu'), '--backend=cpu')


def test_output_is_the_input(make_video, upscale, tmp_path):
    source = make_video(frames=2)
    before = source.read_bytes()
    link = tmp_path / 'link.mp4'
    link.symlink_to(source)
    for target in source, link, tmp_path / '.' / 'input.mp4':
        refused(upscale(source, target, '--force'), 'the input itself')
    partial = source.rename(tmp_path / 'input.partial.mp4')
    refused(upscale(partial, source), 'the input itself')
    assert partial.read_bytes() == before


def test_existing_output_needs_force(make_video, upscale, tmp_path):
    source, target = make_video(frames=2), tmp_path / 'out.mp4'
    target.write_text('precious')
    refused(upscale(source, target), '--force')
    assert target.read_text() == 'precious'
    assert upscale(source, target, '--force').returncode == 0
    assert frames(target) == 2


def test_folders(make_video, upscale, tmp_path):
    source = make_video(frames=2)
    refused(upscale(source, tmp_path / 'nowhere' / 'out.mp4'), 'nowhere')
    (tmp_path / 'folder.mp4').mkdir()
    refused(upscale(source, tmp_path / 'folder.mp4'), 'folder')


@pytest.mark.parametrize('content', [b'', b'plain text\n' * 500, bytes(range(256)) * 64])
def test_input_is_no_video(upscale, tmp_path, content):
    source = tmp_path / 'input.mp4'
    source.write_bytes(content)
    refused(upscale(source, tmp_path / 'out.mp4'))
    assert os.listdir(tmp_path) == ['input.mp4']


@pytest.mark.parametrize('mux', ['mp4mux', 'matroskamux', 'mpegtsmux', 'avimux'])
def test_no_video_stream(make_video, upscale, tmp_path, mux):
    refused(upscale(make_video(video=None, mux=mux), tmp_path / 'out.mp4'), 'no video')
    assert os.listdir(tmp_path) == ['input.mp4']


def test_wrong_models(make_video, upscale, tmp_path):
    source, target, broken = make_video(frames=5), tmp_path / 'out.mp4', tmp_path / 'broken.safetensors'
    good = (MODELS / 'x2.safetensors').read_bytes()
    refused(upscale(source, target, '--model', tmp_path / 'none', model=None), 'none')
    for content in b'', b'nonsense' * 100, good[:-100], good[:200]:
        broken.write_bytes(content)
        refused(upscale(source, target, '--model', broken, model=None), 'model')
    refused(upscale(source, target, '--scale', 4, model='x2'), 'scale')
    refused(upscale(source, target, model=None), 'model')  # none is installed where the tests run
    assert sorted(os.listdir(tmp_path)) == ['broken.safetensors', 'input.mp4']


def test_larger_than_the_limit(make_video, upscale, tmp_path):
    refused(upscale(make_video(frames=1, width=4100, height=16, audio=None), tmp_path / 'out.mp4'), '8192')
    assert os.listdir(tmp_path) == ['input.mp4']


@pytest.mark.parametrize('part', [0.35, 0.8])
@pytest.mark.parametrize('mux', ['mp4mux faststart=true', 'mp4mux', 'matroskamux'])
def test_input_is_cut_short(make_video, upscale, tmp_path, mux, part):
    source = make_video(frames=100, mux=mux, width=128, height=96)
    data = source.read_bytes()
    source.write_bytes(data[:int(len(data) * part)])
    target = tmp_path / 'out.mp4'
    refused(upscale(source, target))
    assert not target.exists()
    partial = tmp_path / 'out.partial.mp4'
    if partial.exists():
        assert 0 < frames(partial) < 100


def test_input_is_damaged(make_video, upscale, tmp_path):
    source = make_video(frames=60, audio=None, width=128, height=96, video='x264enc key-int-max=200 ! h264parse')
    data = bytearray(source.read_bytes())
    start, end = data.index(b'mdat') + 4, data.index(b'moov') - 4
    data[start:end] = bytes(end - start)
    source.write_bytes(data)
    refused(upscale(source, tmp_path / 'out.mp4'))
    assert not (tmp_path / 'out.mp4').exists()


@pytest.mark.parametrize('name', ['out.mp4', 'out.mkv', 'out.webm'])
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted(make_video, tmp_path, name, number):
    # Noise: a few frames of it fill the buffer of the file.
    source = make_video(frames=600, width=160, height=120, pattern='snow',
                        video='x264enc speed-preset=ultrafast ! h264parse')
    partial = tmp_path / name.replace('.', '.partial.')
    command = [BUILD / 'tools' / 'dssr-upscale', source, tmp_path / name, '--backend', 'scalar', '--model',
               MODELS / 'x2.safetensors']
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (partial.exists() and partial.stat().st_size > 0):
        assert process.poll() is None and time.monotonic() < deadline, 'at work'
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert 'not whole' in errors
    assert not (tmp_path / name).exists()
    assert 0 < frames(partial) < 600


def test_disk_is_full(make_video, upscale, tmp_path):
    """A file that may not grow: the error is told, and what cannot be played is removed."""
    import resource
    source = make_video(frames=50)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    refused(upscale(source, tmp_path / 'out.mp4', preexec_fn=limit))
    assert os.listdir(tmp_path) == ['input.mp4']
