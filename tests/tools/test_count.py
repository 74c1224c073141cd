"""scripts/count-tests.py: the last line of a test run, and what it shows of failures.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = Path(__file__).resolve().parents[2] / 'scripts' / 'count-tests.py'


def count(tmp_path, *tests):
    log = tmp_path / 'testlog.json'
    log.write_text('\n'.join(json.dumps(test) for test in tests))
    done = subprocess.run([sys.executable, COUNT, log], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize('result, out, line', (
    ('OK', 'ok 1 /a\nok 2 /b # SKIP no GPU\n', '1 passed, 0 failed, 1 skipped'),
    ('OK', '== 5 passed, 2 skipped in 3.1s ==', '5 passed, 0 failed, 2 skipped'),
    ('OK', '..s. [100%]\n266 passed, 3 skipped in 124.00s (0:02:04)', '266 passed, 0 failed, 3 skipped'),
    ('OK', 'no cases', '1 passed, 0 failed, 0 skipped'),
    ('FAIL', 'ok 1 /a\nnot ok 2 /b\n', '1 passed, 1 failed, 0 skipped'),
    ('FAIL', 'ok 1 /a\nBail out!', '1 passed, 1 failed, 0 skipped'),
    ('TIMEOUT', '', '0 passed, 1 failed, 0 skipped'),
))
def test_last_line(tmp_path, result, out, line):
    code, lines = count(tmp_path, {'name': 'x', 'result': result, 'stdout': out})
    assert lines[-1] == line
    assert code == (result != 'OK')


def test_failures_are_shown(tmp_path):
    long = '\n'.join(f'line {i}' for i in range(1000))
    fine = {'name': 'fine', 'result': 'OK', 'stdout': 'ok 1 /a'}
    _, lines = count(tmp_path, fine, {'name': 'bad', 'result': 'FAIL', 'stdout': long, 'stderr': 'assertion failed'})
    assert any(line.startswith('bad of') for line in lines)
    assert 'line 999' in lines and 'line 1' not in lines and 'assertion failed' in lines
    assert not any('fine' in line for line in lines)


def test_missing_log(tmp_path):
    done = subprocess.run([sys.executable, COUNT, tmp_path / 'none.json'], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'none.json' in done.stdout
