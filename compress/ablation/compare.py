"""What the comparisons share: options, a folder of results that an interrupted run goes on with, a table and a plot."""

import json
from pathlib import Path

import torch

from .. import train


def arguments(description, peak):
    parser = train.arguments(description, peak, guide=0.0)
    parser.set_defaults(seed=1)
    parser.add_argument("--float", type=Path, required=True, help="checkpoint of the base")
    parser.add_argument("--bench", type=Path, required=True, help="folder of lossless clips")
    return parser


def parse(parser):
    args = parser.parse_args()
    if not args.steps:
        parser.error("a comparison is fair by --steps")
    return args


def compare(args, run, table, plot):
    """Runs what is missing in the folder args.out, and writes its table and plot.

    run (args, results, keep_results) fills `results`, table (args, results) gives text, plot (args, results, file).
    """
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.folder = args.out
    args.folder.mkdir(parents=True, exist_ok=True)
    file = args.folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    run(args, results, lambda: file.write_text(json.dumps(results, indent=1)))
    text = table(args, results)
    print(text)
    (args.folder / "table.md").write_text(text + "\n")
    plot(args, results, args.folder / "plot.svg")


def subplots(*counts, **options):
    """A figure and its axes, for an SVG that is the same each time."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "dssr"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(*counts, layout="constrained", **options)
    for each in figure.axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure, file):
    figure.savefig(file, metadata={"Date": None})
