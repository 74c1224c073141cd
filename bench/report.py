"""Writes what was measured into docs/performance.md and draws it: report.py FOLDER DOCUMENT PLOT.

The tables stand between `<!-- NAME -->` and `<!-- end -->` in the document; the rest of it is left alone.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import re
import sys
from pathlib import Path

NAMES = {'onnxruntime': 'onnxruntime', 'openvino': 'OpenVINO', 'ncnn': 'ncnn', 'dssr': 'dssr'}


def table(header, rows, right=1):
    """A table in Markdown; the columns from `right` on hold numbers."""
    marks = ['---'] * right + ['---:'] * (len(header) - right)
    lines = [header, marks, *rows]
    return '\n'.join('| ' + ' | '.join(str(c) for c in line) + ' |' for line in lines)


def at(results, **wanted):
    """The first result with these values."""
    return next(r for r in results if all(r[k] == v for k, v in wanted.items()))


def label(result):
    version = f" {result['version']}" if 'version' in result else ''
    return f"{NAMES[result['runtime']]}{version}, {result['precision']}"


def machine(data, kernels):
    about = data['network']
    content = Path(about['input']).name if about['input'] else 'noise that moves'
    return (f"{data['cpu']}; medians of {data['rounds']} rounds; load before: {data['load_before']:.2f}. "
            f"{about['width']}x{about['height']} to {about['width'] * about['scale']}x"
            f"{about['height'] * about['scale']}, {about['macs']:.0f} multiply-accumulates per output pixel. "
            f"Weights: {about['weights']}. Content: {content}.")


def peers(data, kernels):
    rows = []
    for result in sorted(data['peers'], key=lambda r: (r['threads'], r['ms'])):
        ours = at(data['peers'], runtime='dssr', threads=result['threads'])
        near = f"{result['psnr']:.0f} dB" if 'psnr' in result else ''
        rows.append([
            label(result), result['threads'], f"{result['ms']:.1f}", f"{result['fps']:.1f}", f"{result['gmacs']:.1f}",
            f"{result['ms'] / ours['ms']:.1f}", f"{result['peak_rss_mb']:.0f}", near])
    header = ['runtime', 'threads', 'ms a frame', 'frames/s', 'GMAC/s', "times dssr's", 'peak MB', 'PSNR to PyTorch']
    return table(header, rows)


def onednn(data, kernels):
    names = list(data['onednn'][0]['gmacs'])
    rows = [[o['threads'], *(f"{o['gmacs'][n]:.0f}" for n in names)] for o in data['onednn']]
    return table(['threads', *names], rows, right=0)


def own(data, kernels):
    rows = [[
        r['backend'], r['size'], r['threads'], f"{r['ms']:.2f}", f"{r['p99_ms']:.2f}", f"{r['fps']:.1f}",
        f"{r['gmacs']:.1f}", f"{r['peak_rss_mb']:.0f}"] for r in data['own']]
    return table(['kernels', 'size', 'threads', 'median ms', 'p99 ms', 'frames/s', 'GMAC/s', 'peak MB'], rows)


def stages(data, kernels):
    best = max((r for r in data['peers'] if r['runtime'] == 'dssr'), key=lambda r: r['threads'])
    names = list(best['stages'])
    return table(names, [[f"{100 * best['stages'][n]:.0f} %" for n in names]], right=0)


def kernel_table(data, kernels):
    rows = []
    for row in kernels['kernels']:
        rows.append([
            row['kernel'], row['variant'], f"{row['ns_per_pixel']:.3f}",
            f"{row['gmacs']:.0f}" if row['gmacs'] else '', f"{row['speedup']:.1f}",
            f"{100 * row['of_peak']:.0f} %" if row['of_peak'] else ''])
    peaks = ', '.join(f'{name} {rate:.0f}' for name, rate in kernels['peaks'].items())
    return (f'Measured peaks of one core, GMAC/s: {peaks}.\n\n'
            + table(['kernel', 'variant', 'ns/pixel', 'GMAC/s', 'times scalar', 'of peak'], rows, right=2))


def fastest_kernel(kernels, name):
    return min(r['ns_per_pixel'] for r in kernels['kernels'] if r['kernel'] == name)


def over_generic(kernels, name):
    """Times as fast as the kernel without templates, of the largest instruction set that has one; None: none has."""
    times = {r['variant']: r['ns_per_pixel'] for r in kernels['kernels'] if r['kernel'] == name}
    pairs = [times[f'{v}, generic'] / times[v] for v in times if f'{v}, generic' in times]
    return pairs[-1] if pairs else None


def bars(data, kernels):
    """What the project asked of this machine, and what it got."""
    two = [r for r in data['peers'] if r['threads'] == 2]
    ours, one = at(two, runtime='dssr'), at(data['peers'], runtime='dssr', threads=1)
    rate = at(data['onednn'], threads=2)
    size = f"{data['network']['width']}x{data['network']['height']}"
    same = rate['gmacs'][f'16 to 16, {size}']
    ort = min(r['ms'] for r in two if r['runtime'] == 'onnxruntime')
    peer = min((r for r in two if r['runtime'] != 'dssr'), key=lambda r: r['ms'])
    small, large = data['own'][0], data['own'][1]
    scalar, best = at(data['own'], backend='scalar'), data['own'][-1]
    dense, sparse = (fastest_kernel(kernels, f'conv 3x3 16 to 16{s}') for s in ('', ', 25 % of quads'))
    generic = over_generic(kernels, 'conv 3x3 16 to 16')
    rows = [
        ["GMAC/s, two threads, as a share of oneDNN's convolution 16 to 16", '>= 0.5', f"{ours['gmacs'] / same:.2f}"],
        ["the same, of oneDNN's fastest convolution here", '', f"{ours['gmacs'] / rate['best']:.2f}"],
        ['times as fast as onnxruntime at its best', '>= 2.5', f"{ort / ours['ms']:.1f}"],
        [f'times as fast as the fastest peer ({label(peer)})', '>= 1.5', f"{peer['ms'] / ours['ms']:.1f}"],
        ['four times the pixels, time over four times the time', '<= 1.05', f"{large['ms'] / small['ms'] / 4:.2f}"],
        [f"frames/s, {small['size']}, two threads", '>= 60', f"{small['fps']:.0f}"],
        [f"frames/s, {large['size']}, two threads", '>= 15', f"{large['fps']:.1f}"],
        ['bytes to and from DRAM, fused over unfused (dssr-model plan)', '<= 0.33', f"{data['dram']:.2f}"],
        [f"peak memory, {large['size']}, MB", '< 160', f"{large['peak_rss_mb']:.0f}"],
        ['two threads over one', '>= 1.85', f"{one['ms'] / ours['ms']:.2f}"],
        ['templates over the generic kernel, convolution 16 to 16', '>= 1.7', f'{generic:.2f}' if generic else 'none'],
        ['convolution at 25 % density over dense', '>= 2.5', f'{dense / sparse:.2f}'],
        ['whole model over scalar kernels, one thread', '>= 4.2', f"{scalar['ms'] / best['ms']:.1f}"],
    ]
    return table(['figure', 'asked', 'measured'], rows)


def plot(data, file):
    import matplotlib
    matplotlib.use('svg')
    matplotlib.rcParams['svg.hashsalt'] = 'dssr'
    from matplotlib import pyplot

    threads = sorted({r['threads'] for r in data['peers']})
    names = sorted({(r['runtime'], r['precision']) for r in data['peers']},
                   key=lambda n: at(data['peers'], runtime=n[0], precision=n[1], threads=threads[-1])['ms'])
    figure, axes = pyplot.subplots(figsize=(7, 0.55 * len(names) + 1))
    height = 0.8 / len(threads)
    for i, count in enumerate(threads):
        results = [at(data['peers'], runtime=r, precision=p, threads=count) for r, p in names]
        places = [n + i * height for n in range(len(names))]
        drawn = axes.barh(places, [r['fps'] for r in results], height,
                          label=f"{count} thread{'s' if count > 1 else ''}", color=['#9db8d2', '#1f5a92'][i % 2])
        axes.bar_label(drawn, [f"{r['fps']:.1f}" for r in results], padding=3, fontsize=8)
    axes.set_yticks([n + 0.4 - height / 2 for n in range(len(names))], [f'{NAMES[r]}, {p}' for r, p in names])
    axes.invert_yaxis()
    about = data['network']
    axes.set_xlabel(f"frames/s, {about['width']}x{about['height']} to {about['width'] * about['scale']}x"
                    f"{about['height'] * about['scale']}, the same network")
    axes.spines[['top', 'right']].set_visible(False)
    axes.margins(x=0.1)
    axes.legend(frameon=False, loc='lower right')
    figure.savefig(file, bbox_inches='tight', metadata={'Date': None})


def main():
    folder, document, picture = map(Path, sys.argv[1:])
    data = json.loads((folder / 'peers.json').read_text())
    kernels = json.loads((folder / 'kernels.json').read_text())
    text = document.read_text()
    for name, make in {
        'machine': machine, 'bars': bars, 'peers': peers, 'onednn': onednn, 'own': own, 'stages': stages,
        'kernels': kernel_table,
    }.items():
        part = re.compile(rf'(<!-- {name} -->\n).*?(<!-- end -->)', re.DOTALL)
        if not part.search(text):
            sys.exit(f'{document} has no place for the table "{name}"')
        text = part.sub(lambda match: f'{match[1]}{make(data, kernels)}\n{match[2]}', text)
    document.write_text(text)
    plot(data, picture)


if __name__ == '__main__':
    main()
