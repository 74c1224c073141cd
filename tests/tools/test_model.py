"""dssr-model says what a model file holds, and which files are good.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
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
