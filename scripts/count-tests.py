"""Sums the test cases in meson's testlog.json files and prints `N passed, N failed, N skipped`.

Before that comes what each program that failed printed last, so that it is seen where only the end of a long run is
kept. TAP subtests and pytest's tests count each as one, any other program as one. Exits with 1 if any failed
or a log is missing.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import re
import sys
from collections import Counter

TAP = re.compile(r'^(not )?ok\b(?:.*(# *(?:skip|todo)))?', re.IGNORECASE | re.MULTILINE)
PYTEST = re.compile(r'^(?:=+ )?(\d+ (?:passed|failed|skipped|errors?)\b.*) in [\d.]+s', re.MULTILINE)
KIND = {'passed': 'passed', 'xpassed': 'failed', 'failed': 'failed', 'error': 'failed', 'errors': 'failed',
        'skipped': 'skipped', 'xfailed': 'skipped'}
LINES = 40  # of each stream of a failed program


def cases(test: dict) -> Counter:
    """What one program of the log ran."""
    count = Counter()
    out = test.get('stdout', '')
    for failed, excused in TAP.findall(out):
        count['skipped' if excused else 'failed' if failed else 'passed'] += 1
    if not count and (summary := PYTEST.findall(out)):
        for number, word in re.findall(r'(\d+) (\w+)', summary[-1]):
            if word in KIND:
                count[KIND[word]] += int(number)
    if test['result'] in ('OK', 'EXPECTEDFAIL'):
        return count or Counter(passed=1)
    if test['result'] == 'SKIP':
        return count or Counter(skipped=1)
    # A program can fail with all its cases fine: it crashed, leaked or ran out of time.
    return count if count['failed'] else count + Counter(failed=1)


def show(log: str, test: dict) -> None:
    """Prints the end of what a failed program printed."""
    print(f"\n{test['name']} of {log}: {test['result']}")
    for stream in 'stdout', 'stderr':
        print(*test.get(stream, '').splitlines()[-LINES:], sep='\n')


def main(logs: list[str]) -> int:
    total = Counter()
    for log in logs:
        try:
            with open(log) as lines:
                tests = [json.loads(line) for line in lines]
        except OSError as error:
            tests = [{'name': 'log', 'result': 'ERROR', 'stderr': str(error)}]
        for test in tests:
            count = cases(test)
            if count['failed']:
                show(log, test)
            total += count
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total['failed'] or not total['passed'] else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
