"""Measures the shipped models and writes what is said of them: the tables of their card, and a chart beside peers.

    python3 -m compress.card --data ../shared/data/bench --float build/models models/*.safetensors

All through the real element, by the protocol of compress.evaluate: PSNR and SSIM of each clip of vid4/ and portrait/;
of each model's floating-point self, where --float has its checkpoint, on the clips of its scene; PSNR where the small
frames were noisy, or came through a codec; and how much a scene that stands still but for noise flickers, as a part of what
bicubic enlargement of the same frames does. The tables replace what is between two marks in models/README.md; the chart
is of PSNR over operations, with the peers of compress/peers.toml.
"""

import argparse
import sys
import tomllib
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

from .build import CONFIGS, float_file, read_config
from .degrade import encoded, noisy
from .element import ROOT, enlarge
from .evaluate import bicubic, float_network, mean_psnr, read_clip, score
from .graph import STAGES, quads
from .restore import read, restore
from .train import load

BEGIN, END = "<!-- compress.card: begin -->\n", "<!-- compress.card: end -->\n"
BENCHES = {"landscape": "vid4", "portrait": "portrait"}  # the clips of each scene
NOISE, STILL_FRAMES = 1.5, 8
DEVIATION, CRF = 2, 23
DEGRADATIONS = {
    f"noise, {DEVIATION}": lambda small: noisy(small, DEVIATION, np.random.default_rng(1)),
    f"H.264, crf {CRF}": lambda small: encoded(small, CRF),
    "both": lambda small: encoded(noisy(small, DEVIATION, np.random.default_rng(1)), CRF),
}


def properties(file):
    """What a model file is."""
    net, metadata = restore(file)
    _, arrays = read(file)
    weights = stored = bits = 0
    for stage in STAGES:
        for op in getattr(net.graph, stage):
            mask = arrays.get(f"{stage}.{op.out}.mask")
            if mask is not None:
                op.quads = int(np.unpackbits(mask).sum())
    for op, counts, _ in net.graph.convolutions():
        dense = quads([op.channels]) * quads(counts) * op.kernel**2 * 4
        kept = dense if op.quads is None else op.quads
        weights, stored, bits = weights + dense, stored + kept, bits + kept * op.bits
    return {
        "scale": net.graph.scale,
        "scene": metadata["dssr.scene"],
        "rung": metadata["dssr.rung"],
        "window": net.graph.window,
        "macs": net.graph.macs(),
        "weight bits": bits / stored,
        "activation bits": [int(np.log2(op.max + 1)) for op in net.graph.operations() if op.op == "conv" and not op.wide],
        "density": stored / weights,
        "bytes": file.stat().st_size,
    }


def flicker(method, frame, scale):
    """Mean difference of successive enlarged frames of a still scene with noise, as a part of bicubic's."""
    small = noisy(np.stack([frame] * STILL_FRAMES), NOISE, np.random.default_rng(1))
    ours, base = (np.abs(np.diff(m.astype(float), axis=0)).mean() for m in (method(small), bicubic(small, scale)))
    return ours / base


def measure(method, clips, scale):
    """{clip: (PSNR, SSIM)} of a function from small frames to large ones."""
    return {clip.stem: score(method(small), large) for clip in clips for large, small in [read_clip(clip, scale)]}


def measure_degraded(method, clips, scale):
    """{(scene, degradation): mean PSNR} of a function from small frames to large ones."""
    results = {}
    for scene, files in clips.items():
        for name, degrade in DEGRADATIONS.items():
            pairs = [(method(degrade(small)), large) for large, small in (read_clip(file, scale) for file in files)]
            results[scene, name] = np.mean([mean_psnr(*pair) for pair in pairs])
    return results


def model_row(file, clips, floats):
    """What the card says of a model."""
    every, row = sum(clips.values(), []), properties(file)
    scale = row["scale"]

    def element(small, **properties):
        return enlarge(small, scale, model=file.resolve(), backend="cpu", **properties)

    row["element"] = measure(element, every, scale)
    row["degraded"] = measure_degraded(element, clips, scale)
    frame = read_clip(every[0], scale)[1][0]
    row["flicker"] = flicker(element, frame, scale)
    row["plain flicker"] = flicker(lambda small: element(small, denoise="false"), frame, scale)
    known = (CONFIGS / f"{file.stem}.toml").exists()
    if known and (checkpoint := float_file(read_config(file.stem), floats)).exists():
        net, _ = load(checkpoint)
        row["float"] = measure(lambda small: float_network(net, small), clips[row["scene"]], scale)
    return row


def bicubic_row(scale, clips):
    def method(small):
        return bicubic(small, scale)

    scores = measure(method, sum(clips.values(), []), scale)
    return {"scale": scale, "element": scores, "degraded": measure_degraded(method, clips, scale)}


def figures(files, clips, floats):
    """What the card says, by model, then by bicubic enlargement; a process for each core."""
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        made = pool.map(model_row, files, repeat(clips), repeat(floats))
        rows = {file.stem: row for file, row in zip(files, tqdm(made, "models", len(files)))}
        scales = sorted({row["scale"] for row in rows.values()})
        rows |= {f"bicubic x{scale}": row for scale, row in zip(scales, pool.map(bicubic_row, scales, repeat(clips)))}
    return rows


def mean(scores, clips):
    return np.mean([scores[clip.stem] for clip in clips], 0)


def table(header, lines):
    return "\n".join(["| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *lines)]) + "\n"


def span(values):
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"


def files_table(rows):
    header = [
        "model", "window", "MACs per output pixel", "weight bits, mean", "activation bits", "density", "size",
        "flicker of the network", "flicker",
    ]  # fmt: skip
    lines = [
        [
            name, f"{row['window']}", f"{row['macs']:.0f}", f"{row['weight bits']:.1f}", span(row["activation bits"]),
            f"{row['density']:.0%}", f"{row['bytes'] / 1000:.0f} KB", f"{row['plain flicker']:.2f}",
            f"{row['flicker']:.2f}",
        ]
        for name, row in rows.items() if "macs" in row
    ]  # fmt: skip
    return table(header, lines)


def quality_table(rows, scale, clips):
    lines = []
    for name, row in rows.items():
        if row["scale"] == scale:
            for title, scores in ((name, row["element"]), (f"{name}, float", row.get("float", {}))):
                if clips[0].stem in scores:
                    cells = [*(scores[clip.stem] for clip in clips), mean(scores, clips)]
                    lines.append([title, *(f"{p:.2f} / {s:.3f}" for p, s in cells)])
    return table([f"x{scale}", *(clip.stem for clip in clips), "mean"], lines)


def degraded_table(rows, scale):
    """Mean PSNR of each scene's clips, from small frames that are not as they should be."""
    lines = [
        [name, *(f"{value:.2f}" for value in row["degraded"].values())] for name, row in rows.items() if row["scale"] == scale
    ]
    return table([f"x{scale}", *(f"{BENCHES[scene]}: {name}" for scene in BENCHES for name in DEGRADATIONS)], lines)


def chart(rows, clips, peers, file):
    """PSNR on Vid4 over operations, beside peers."""
    scales = sorted({row["scale"] for row in rows.values()})
    figure = Figure(figsize=(6 * len(scales), 4.5))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(scales), squeeze=False)
    for axis, scale in zip(axes[0], scales):
        for peer in peers[f"x{scale}"]:
            axis.plot(peer["macs"], peer["psnr"], "o", color="0.6")
            axis.annotate(peer["name"], (peer["macs"], peer["psnr"]), (4, -10), textcoords="offset points", color="0.4")
        for name, row in rows.items():
            if row["scale"] == scale and row.get("scene") == "landscape":
                psnr = mean(row["element"], clips)[0]
                axis.plot(row["macs"], psnr, "s", color="C3")
                axis.annotate(f"dssr {row['rung']}", (row["macs"], psnr), (4, 6), textcoords="offset points", color="C3")
        axis.set(xscale="log", title=f"Vid4, x{scale}", xlabel="multiply-accumulates per output pixel", ylabel="PSNR of luma, dB")
        axis.margins(0.15)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def card(rows, clips):
    parts = [files_table(rows)]
    for scale in sorted({row["scale"] for row in rows.values()}):
        parts += [*(quality_table(rows, scale, scene) for scene in clips.values()), degraded_table(rows, scale)]
    return "\n".join(parts)


def replaced(text, part):
    """`text` with what is between the marks replaced."""
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:start] + part + text[end:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with vid4/ and portrait/")
    parser.add_argument("--float", type=Path, default=ROOT / "build/models", help="folder of compress.build")
    parser.add_argument("--card", type=Path, default=ROOT / "models/README.md", help="has the marks; is rewritten")
    parser.add_argument("--chart", type=Path, default=ROOT / "docs/images/quality.png")
    args = parser.parse_args()
    clips = {scene: sorted((args.data / bench).glob("*.mkv")) for scene, bench in BENCHES.items()}
    for scene, files in clips.items():
        if not files:
            sys.exit(f"No .mkv clips in {args.data / BENCHES[scene]}: give a folder such as ../shared/data/bench.")
    try:
        text = args.card.read_text()
    except OSError as error:
        sys.exit(f"{args.card} cannot be read ({error.strerror}): --card names the file whose tables are rewritten.")
    if BEGIN not in text or END not in text:
        sys.exit(f"{args.card} has no marks: the lines {BEGIN.strip()} and {END.strip()} say where the tables go.")
    rows = figures(args.models, clips, args.float)
    args.card.write_text(replaced(text, card(rows, clips)))
    chart(rows, clips["landscape"], tomllib.loads((ROOT / "compress/peers.toml").read_text()), args.chart)


if __name__ == "__main__":
    main()
