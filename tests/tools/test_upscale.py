"""dssr-upscale keeps what a video has: size times the scale, each frame, duration, sound, orientation.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import av
import numpy as np
import pytest
from PIL import Image


def read(path):
    """Frames and packets of a file, decoded by another program than the one that made it."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = [frame for frame in container.decode(video)]
    sound = []
    with av.open(str(path)) as container:
        if container.streams.audio:
            sound = [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
            codec = container.streams.audio[0].codec_context.name
        else:
            codec = None
        return {'frames': frames, 'times': [round(float(frame.time - frames[0].time), 3) for frame in frames],
                'size': (frames[0].width, frames[0].height), 'sound': sound, 'audio': codec,
                'codec': container.streams.video[0].codec_context.name,
                'duration': container.duration / av.time_base}


def luma(frame):
    return frame.to_ndarray(format='gray').astype(float)


def bicubic(frame, scale):
    small = Image.fromarray(frame.to_ndarray(format='gray'))
    return np.asarray(small.resize((small.width * scale, small.height * scale), Image.BICUBIC), float)


def psnr(a, b):
    return 10 * np.log10(255 ** 2 / max(np.mean((a - b) ** 2), 1e-9))


@pytest.mark.parametrize('scale', [2, 4])
def test_frames_sound_and_duration_are_kept(make_video, upscale, tmp_path, scale):
    source, target = make_video(), tmp_path / 'out.mp4'
    done = upscale(source, target, '--scale', scale, model=f'x{scale}')
    assert done.returncode == 0, done.stderr
    before, after = read(source), read(target)
    assert after['size'] == (64 * scale, 48 * scale)
    assert after['times'] == before['times'] and len(after['frames']) == 25
    assert after['sound'] == before['sound'], 'AAC goes from MP4 to MP4 as it is'
    assert abs(after['duration'] - before['duration']) < 0.05
    assert not list(tmp_path.glob('*partial*'))


def test_device(make_video, upscale, tmp_path, devices):
    source, cpu, gpu = make_video(frames=3, audio=None), tmp_path / 'cpu.mkv', tmp_path / 'gpu.mkv'
    assert upscale(source, cpu, '--backend', 'cpu', model='x2').returncode == 0
    done = upscale(source, gpu, '--device', '0', model='x2')
    assert done.returncode == 0 and 'warning' not in done.stderr, done.stderr
    for a, b in zip(read(cpu)['frames'], read(gpu)['frames'], strict=True):
        assert np.array_equal(luma(a), luma(b))


def test_pictures_are_the_right_ones_in_the_right_order(make_video, upscale, tmp_path):
    source, target = make_video(frames=12, audio=None), tmp_path / 'out.mp4'
    done = upscale(source, target)
    assert done.returncode == 0, done.stderr
    before, after = read(source), read(target)
    for i, (small, large) in enumerate(zip(before['frames'], after['frames'], strict=True)):
        assert psnr(bicubic(small, 2), luma(large)) > 32, f'frame {i}'


@pytest.mark.parametrize('lookahead', [0, 1])
@pytest.mark.parametrize('frames', [1, 2, 3])
def test_very_short_videos(make_video, upscale, tmp_path, frames, lookahead):
    source, target = make_video(frames=frames, audio=None), tmp_path / 'out.mkv'
    done = upscale(source, target, '--lookahead', lookahead)
    assert done.returncode == 0, done.stderr
    assert len(read(target)['frames']) == frames


@pytest.mark.parametrize('name, codec, audio', [
    ('out.mp4', 'h264', 'aac'), ('out.mov', 'h264', 'aac'), ('out.mkv', 'h264', 'aac'), ('out.webm', 'vp9', 'opus')])
def test_containers(make_video, upscale, tmp_path, name, codec, audio):
    source, target = make_video(width=65, height=49, caps=',format=Y444'), tmp_path / name
    done = upscale(source, target)
    assert done.returncode == 0, done.stderr
    after = read(target)
    assert (after['codec'], after['audio']) == (codec, audio)
    assert after['size'] == (130, 98)
    assert len(after['frames']) == 25


@pytest.mark.parametrize('mux, audio, kept', [
    ('matroskamux', 'opusenc', 'opus'), ('matroskamux', 'vorbisenc', 'aac'), ('mpegtsmux', 'avenc_aac', 'aac'),
    ('avimux', 'identity', 'aac')])
def test_sound_of_other_containers(make_video, upscale, tmp_path, mux, audio, kept):
    source, target = make_video('input.bin', mux=mux, audio=audio), tmp_path / 'out.mp4'
    done = upscale(source, target)
    assert done.returncode == 0, done.stderr
    assert read(target)['audio'] == kept
    assert len(read(target)['frames']) == 25


@pytest.mark.parametrize('mux, video, audio', [
    ('oggmux', 'theoraenc', 'vorbisenc'), ('flvmux', 'x264enc ! h264parse', 'avenc_aac ! aacparse'),
    ('avimux', 'jpegenc', 'identity'), ('avimux', 'identity', None), ('mpegtsmux', 'x264enc ! h264parse', None)])
def test_other_inputs(make_video, upscale, tmp_path, mux, video, audio):
    source, target = make_video('input.bin', mux=mux, video=video, audio=audio), tmp_path / 'out.mp4'
    done = upscale(source, target)
    assert done.returncode == 0, done.stderr
    after = read(target)
    assert len(after['frames']) == len(read(source)['frames'])
    assert (after['audio'] is not None) == (audio is not None)


def test_ten_bits_stay_ten_bits(make_video, upscale, tmp_path):
    source, target = make_video(frames=3, audio=None, caps=',format=I420_10LE'), tmp_path / 'out.mkv'
    done = upscale(source, target)
    assert done.returncode == 0, done.stderr
    assert read(target)['frames'][0].format.name == 'yuv420p10le'


def rotate(path, degrees):
    """Writes the rotation of the track into an MP4, as a phone does."""
    matrices = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
    data = bytearray(path.read_bytes())
    at = data.index(b'tkhd') + 4 + 40  # version 0: flags, times, identifiers, layer
    for offset, value in zip((0, 4, 12, 16), matrices[degrees]):
        data[at + offset:at + offset + 4] = (value * 65536).to_bytes(4, 'big', signed=True)
    path.write_bytes(data)


@pytest.mark.parametrize('degrees, turns', [(90, 3), (180, 2), (270, 1)])
@pytest.mark.parametrize('name', ['out.mp4', 'out.mkv'])
def test_a_rotated_video_is_upright(make_video, upscale, tmp_path, degrees, turns, name):
    source, target = make_video(frames=8, audio=None), tmp_path / name
    rotate(source, degrees)
    done = upscale(source, target)
    assert done.returncode == 0, done.stderr
    before, after = read(source), read(target)
    assert after['size'] == ((128, 96) if degrees == 180 else (96, 128))
    upright = np.rot90(bicubic(before['frames'][4], 2), turns)
    assert psnr(upright, luma(after['frames'][4])) > 32


@pytest.mark.parametrize('caps', [',format=I420', ',format=I420_10LE'])
def test_interlaced_video_is_made_progressive(make_video, upscale, tmp_path, caps):
    source = make_video(video='x264enc interlaced=true ! h264parse', audio=None, caps=caps,
                        filters='! interlace field-pattern=1:1')
    done = upscale(source, tmp_path / 'out.mp4')
    assert done.returncode == 0, done.stderr
    assert abs(read(tmp_path / 'out.mp4')['duration'] - read(source)['duration']) < 0.1


def test_every_backend_gives_the_same_file(make_video, upscale, tmp_path):
    source = make_video(frames=6, audio=None)
    pictures = []
    for backend in 'scalar', 'cpu':
        target = tmp_path / f'{backend}.mkv'
        done = upscale(source, target, '--backend', backend, '--threads', 1, model='x2')
        assert done.returncode == 0, done.stderr
        pictures.append([luma(frame) for frame in read(target)['frames']])
    assert np.array_equal(*pictures)


def test_progress_without_a_terminal_has_no_control_characters(make_video, upscale, tmp_path):
    done = upscale(make_video(), tmp_path / 'out.mp4')
    assert '\r' not in done.stderr and '\033' not in done.stderr


@pytest.mark.parametrize('arguments', [[], ['--compare-at', '0'], ['--compare-at', '0.96']])
def test_comparison(make_video, upscale, tmp_path, arguments):
    picture = tmp_path / 'compare.png'
    done = upscale(make_video(width=320, height=240), '--compare', picture, *arguments)
    assert done.returncode == 0, done.stderr
    with Image.open(picture) as image:
        assert image.format == 'PNG'
        assert image.width == 640 and image.height > 480 + 200
        pixels = np.asarray(image.convert('L'), float)
    # With a network that adds nothing, both sides are the same interpolation.
    crop = pixels[-200:]
    assert crop.std() > 5, 'a detail is shown'
    assert psnr(crop[:, :316], crop[:, -316:]) > 30


def test_comparison_and_video_together(make_video, upscale, tmp_path):
    done = upscale(make_video(), tmp_path / 'out.mp4', '--compare', tmp_path / 'compare.png')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'compare.png').exists() and len(read(tmp_path / 'out.mp4')['frames']) == 25
