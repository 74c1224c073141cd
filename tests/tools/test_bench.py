"""dssr-bench measures what it says, and says what is wrong.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import re
import subprocess

import pytest
from conftest import BUILD, MODELS

KEYS = {'model', 'backend', 'threads', 'width', 'height', 'scale', 'fps', 'median_ms', 'p99_ms', 'gmacs', 'peak_rss_mb',
        'cpu_ms', 'gpu_ms', 'gpu_mb', 'gpu_operations', 'gpu_barriers', 'stages'}


def bench(*args):
    return subprocess.run([str(BUILD / 'tools' / 'dssr-bench'), *map(str, args)], capture_output=True, text=True,
                          timeout=300)


def measure(tmp_path, *args, model='x2'):
    file = tmp_path / 'result.json'
    done = bench('--model', MODELS / f'{model}.safetensors', '--json', file, *args)
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text()), done.stdout


@pytest.mark.parametrize('model, scale', [('x2', 2), ('x4', 4)])
def test_frames(tmp_path, model, scale):
    result, text = measure(tmp_path, '--size', '64x48', '--frames', 20, '--threads', 2, model=model)
    assert set(result) == KEYS
    assert result['model'].endswith(f'{model}.safetensors')
    assert (result['width'], result['height'], result['scale'], result['threads']) == (64, 48, scale, 2)
    assert 0 < result['median_ms'] <= result['p99_ms']
    assert 1000 / result['p99_ms'] * 0.99 < result['fps'] < 20 * 1000 / result['median_ms']
    assert result['peak_rss_mb'] > 5
    assert sum(result['stages'].values()) == pytest.approx(1, abs=0.01)
    assert all(0 <= share <= 1 for share in result['stages'].values())
    for stage in 'frame', 'align', 'fuse':
        assert result['stages'][stage] > 0
    for word in 'median', 'frames/s', 'GMAC/s', 'MB':
        assert word in text


def test_gmacs_are_those_of_the_model(tmp_path):
    result, _ = measure(tmp_path, '--size', '64x48', '--frames', 10)
    info = subprocess.run([str(BUILD / 'tools' / 'dssr-model'), 'info', result['model']], capture_output=True, text=True)
    macs = float(info.stdout.splitlines()[-1].split()[1])
    assert result['gmacs'] == pytest.approx(macs * 128 * 96 * result['fps'] / 1e9, rel=0.02)


def test_more_pixels_take_longer_and_more_memory(tmp_path):
    small, _ = measure(tmp_path, '--size', '64x48', '--frames', 5, '--threads', 1)
    large, _ = measure(tmp_path, '--size', '512x384', '--frames', 5, '--threads', 1)
    assert large['median_ms'] > 8 * small['median_ms']
    assert large['peak_rss_mb'] > small['peak_rss_mb'] + 1


def test_no_gpu_costs_no_memory(tmp_path):
    auto, _ = measure(tmp_path, '--size', '64x48', '--frames', 5, '--backend', 'auto')
    if auto['backend'].startswith('vulkan'):
        pytest.skip('there is a GPU')
    cpu, _ = measure(tmp_path, '--size', '64x48', '--frames', 5, '--backend', 'cpu')
    assert auto['peak_rss_mb'] < cpu['peak_rss_mb'] + 10, 'a Vulkan without a GPU was loaded'


def test_scalar_is_named(tmp_path):
    result, _ = measure(tmp_path, '--size', '32x32', '--frames', 2, '--backend', 'scalar')
    assert result['backend'] == 'scalar'


@pytest.mark.parametrize('frames', [1, 3, 40])
def test_video(tmp_path, make_video, frames):
    video = make_video(frames=frames, audio=None)
    _, text = measure(tmp_path, '--input', video, '--size', '48x36', '--frames', 12)
    assert str(video) in text


@pytest.mark.parametrize('arguments, word', [
    (['--size', '9x'], 'WIDTHxHEIGHT'), (['--size', '0x5'], 'WIDTHxHEIGHT'), (['--size', '480x270x3'], 'WIDTHxHEIGHT'),
    (['--size', '-4x5'], 'WIDTHxHEIGHT'), (['--size', '9000x9000'], '8192'), (['--frames', '0'], '--frames'),
    (['--threads', '65'], '--threads'), (['--threads', '-1'], '--threads'), (['--backend', 'abacus'], 'vulkan'),
    (['--model', 'no-such-file'], 'no-such-file'), (['--model', __file__], 'test_bench.py'),
    (['--input', 'no-such-file'], 'no-such-file'), (['--input', __file__], 'test_bench.py'),
    (['--json', '/no/such/folder/x.json', '--size', '16x16', '--frames', '1'], '/no/such/folder'),
    (['--nonsense'], 'nonsense'), (['picture.png'], 'picture.png')])
def test_errors(arguments, word):
    done = bench('--model', MODELS / 'x2.safetensors', *arguments)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith('dssr-bench: ') and word in done.stderr


def test_list():
    done = bench('--list')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines
    if 'no device' not in lines[0]:
        for i, line in enumerate(lines):
            assert line.startswith(f'{i}: ') and 'UUID' in line and 'dot products' in line


def test_device(tmp_path, devices):
    uuid = re.search('UUID ([0-9a-f]{32})', devices[0])[1]
    for name in '0', uuid, f'{uuid[:8]}-{uuid[8:]}'.upper():
        result, _ = measure(tmp_path, '--size', '16x16', '--frames', 2, '--device', name)
        assert result['backend'].startswith('vulkan') and result['backend'][8:-1] in devices[0]


@pytest.mark.parametrize('device', ['99', '-1', '', 'llvmpipe', '/dev/null', '0' * 32])
@pytest.mark.parametrize('what', [['--model', MODELS / 'x2.safetensors'], ['--kernels']])
def test_no_such_device(devices, device, what):
    done = bench(*what, '--device', device)
    assert done.returncode == 1 and f'there is no device "{device}"' in done.stderr, done.stderr


def test_device_is_of_vulkan():
    done = bench('--device', '0', '--backend', 'cpu')
    assert done.returncode == 2 and '--backend=cpu' in done.stderr


def test_kernels(tmp_path):
    file = tmp_path / 'kernels.json'
    done = bench('--kernels', '--size', '64x32', '--frames', 1, '--json', file)
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    rows = result['kernels']
    for kind in 'conv 3x3 16 to 16', 'conv 1x1 48 to 16', 'deform 3x3', 'head x4', 'bicubic x2', 'add', 'up2', 'follow', 'attention', \
            'contrast x2', 'noise', 'denoise', 'pan', 'border', 'deform 3x3 16, zero outside', 'shuffle', 'pool', 'modulate', 'head of RGB':
        variants = [r['variant'] for r in rows if r['kernel'].startswith(kind)]
        assert variants[0] == 'scalar', kind
        assert kind in done.stdout
    for row in rows:
        assert row['ns_per_pixel'] > 0 and row['speedup'] > 0 and row['of_peak'] >= 0
        assert (row['gmacs'] > 0) == row['kernel'].startswith('conv')
        assert row['variant'] != 'scalar' or row['speedup'] == 1
    # A core does no more than its peak; the clock may rise between the two measurements.
    assert all(r['of_peak'] < 1.3 for r in rows)
    assert all(1 < peak < 10000 for peak in result['peaks'].values())


def test_kernels_of_a_gpu(tmp_path, devices):
    file = tmp_path / 'kernels.json'
    done = bench('--kernels', '--backend', 'vulkan', '--size', '16x8', '--frames', 1, '--json', file)
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    assert result['device'] in devices[0] and result['dot_gmacs'] > 0 and result['copy_gbytes'] > 0
    rows = {row['kernel']: row for row in result['kernels']}
    cpu = tmp_path / 'cpu.json'
    assert bench('--kernels', '--size', '1x1', '--frames', 1, '--json', cpu).returncode == 0
    names = dict.fromkeys(row['kernel'] for row in json.loads(cpu.read_text())['kernels'])
    # Noise and pans are the CPU's.
    assert list(rows) == [name for name in names if name not in ('noise', 'denoise', 'pan')]
    for name, row in rows.items():
        assert name in done.stdout
        assert row['gpu_ms'] > 0 and row['mbytes'] > 0 and row['of_copy'] > 0
        assert (row['mmacs'] > 0 and row['of_dot'] > 0) == name.startswith('conv')


@pytest.mark.parametrize('width, height', [(1, 1), (3, 7), (17, 9)])
def test_kernels_at_any_size(width, height):
    done = bench('--kernels', '--size', f'{width}x{height}', '--frames', 1)
    assert done.returncode == 0, done.stderr


def test_masked_flags_leave_kernels_out(tmp_path, monkeypatch):
    monkeypatch.setenv('DSSR_CPU_FLAGS', 'none')
    done = bench('--kernels', '--size', '16x16', '--frames', 1, '--json', tmp_path / 'kernels.json')
    assert done.returncode == 0, done.stderr
    variants = {r['variant'] for r in json.loads((tmp_path / 'kernels.json').read_text())['kernels']}
    assert variants <= {'scalar', 'neon'}


@pytest.mark.parametrize('arguments', [['--threads', '2'], ['--backend', 'cpu'], ['--model', 'x'], ['--input', 'x']])
def test_kernels_refuse_what_is_for_frames(arguments):
    done = bench('--kernels', *arguments)
    assert done.returncode == 2 and '--kernels' in done.stderr
