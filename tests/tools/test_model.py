"""dssr-model says what a model file holds, and which files are good.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import itertools
import subprocess

import pytest
from conftest import BUILD, MODELS


def dssr_model(*args):
    return subprocess.run([str(BUILD / 'tools' / 'dssr-model'), *map(str, args)], capture_output=True, text=True,
                          timeout=30)


@pytest.mark.parametrize('name', ['x2', 'x4', 'x2-sparse4', 'x2-window5'])
def test_good_model(name):
    model = MODELS / f'{name}.safetensors'
    assert dssr_model('check', model).returncode == 0
    info = dssr_model('info', model)
    assert info.returncode == 0, info.stderr
    for word in 'conv', 'deform', 'attention', 'head', 'MAC':
        assert word in info.stdout


def test_broken_model(tmp_path):
    broken = tmp_path / 'broken.safetensors'
    broken.write_bytes((MODELS / 'x2.safetensors').read_bytes()[:-64])
    for command in 'check', 'info':
        done = dssr_model(command, broken)
        assert done.returncode == 1
        assert 'broken.safetensors' in done.stderr


def test_wrong_arguments(tmp_path):
    for arguments in [], ['check'], ['dance', 'x'], ['info', tmp_path / 'none']:
        done = dssr_model(*arguments)
        assert done.returncode in (1, 2)
        assert done.stderr


def rows_of(text, title):
    """The numbers of each line of the table that follows a title, by the words before them."""
    lines = text[text.index(title):].splitlines()[2:]
    table = {}
    for line in itertools.takewhile(bool, lines):
        words = line.split()
        numbers = [float(word) for word in words if word.replace('.', '').isdigit()]
        table[' '.join(words[:len(words) - len(numbers)])] = numbers
    return table


def test_plan():
    """What a frame moves, beside an account of the graph that make_model.py makes."""
    model = MODELS / 'x2.safetensors'
    done = dssr_model('plan', model, '--size', '400x240', '--threads', '3')
    assert done.returncode == 0, done.stderr
    assert '400x240 to 800x480, 8 bits, 4:2:0, 3 threads' in done.stdout

    luma, features = 400 * 240, 400 * 240 * 8 + 200 * 120 * 12 + 100 * 60 * 12
    frame, enlarge = [luma, features], [luma + 3 * features, 4 * luma]
    chroma = [luma / 2, 2 * luma]
    traffic = rows_of(done.stdout, 'MB to and from DRAM')
    for what, bytes_ in ('frame, fused', frame), ('enlarge, fused', enlarge), ('chroma', chroma), (
            'all, fused', [sum(x) for x in zip(frame, enlarge, chroma)]):
        assert traffic[what] == [round(x / 1e6, 3) for x in (*bytes_, sum(bytes_))], what

    # Frame, unfused: each operation's output, and the input of the next.
    x, half, quarter = luma, luma / 4, luma / 16
    written = 4 * x + 4 * 8 * x + 12 * half + 12 * quarter
    read = x + 4 * x + 8 * x + 8 * x + 2 * 8 * x + 8 * x + 12 * half
    assert traffic['frame, unfused'] == [round(v / 1e6, 3) for v in (read, written, read + written)]
    assert traffic['all, unfused'][2] > 3 * traffic['all, fused'][2]
    ratio = traffic['all, fused'][2] / traffic['all, unfused'][2]
    assert abs(traffic['fused / unfused'][0] - ratio) < 0.001

    info = dssr_model('info', model).stdout
    per_pixel = next(float(line.split()[1]) for line in info.splitlines() if line.startswith('total'))
    macs = next(float(line.split()[0]) for line in done.stdout.splitlines() if 'multiply-accumulates' in line)
    assert abs(macs * 1e9 / (800 * 480) - per_pixel) < 2

    memory = rows_of(done.stdout, 'MiB of memory')
    assert abs(memory['arena'][0] - sum(memory[k][0] for k in ('features', 'rings', 'local'))) < 0.03


def test_plan_refuses():
    model = MODELS / 'x2.safetensors'
    for arguments in [], ['--size'], ['--size', '400'], ['--size', '0x240'], ['--size', '400x240x2'], \
            ['--size', '5000x100'], ['--threads', '2'], ['--size', '40x40', '--threads', '0'], ['--speed', '9']:
        done = dssr_model('plan', model, *arguments)
        assert done.returncode == 1, arguments
        assert done.stderr and not done.stdout
