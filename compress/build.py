"""Makes a shipped model, from data to file, as compress/configs/MODEL.toml says.

    compress/build.sh landscape-x4-balanced

Each step writes a file into build/models/, and is left out if it has; a step that was interrupted goes on
where it stopped. To make a step again, delete its file and those after it. Steps, of which the first six serve both
scenes: pack the data; train the base; cut channels (SACP), each model out of a larger one; cut quads of weights
(DSM); rescale, where the base is of another scale, and learn there from the largest of those networks; train on, without
a teacher; make offsets out of fewer channels, and follow pans; fine-tune for the scene; choose bits (PDE); train with
quantisation (QAP); export.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "compress" / "configs"
CHECKPOINTS = ROOT / "compress" / "checkpoints"
MODELS = ROOT / "models"
PROVENANCE = CHECKPOINTS / "provenance.json"
PER_STILL = 36
# By scene. Clips are softer than stills; in portraits they show how people move.
PER_CLIP = {"landscape": 0, "portrait": 120}
DEGRADED = {"landscape": 0.05, "portrait": 0.3}  # people are filmed by small sensors and sent through narrow channels
FADED = 0.5  # of x2: faint detail just below what the small picture can hold is what it can bring back
TUNING = 1e-3  # highest learning rate of what is trained already


def read_config(name):
    return tomllib.loads((CONFIGS / f"{name}.toml").read_text())


def channels_file(config, folder):
    return folder / f"x{config['scale']}-{config['rung']}-channels.pt"


def quads_file(config, folder):
    return folder / f"x{config['scale']}-{config['rung']}-quads.pt"


def tuned_file(config, folder):
    return folder / f"x{config['scale']}-{config['rung']}-tuned.pt"


def following_file(config, folder):
    return folder / f"x{config['scale']}-{config['rung']}-following.pt"


def float_file(config, folder):
    """The network of a model before it is quantised."""
    if "scene" in config["minutes"]:
        return folder / f"{config['scene']}-x{config['scale']}-{config['rung']}-float.pt"
    return following_file(config, folder) if "follow_rank" in config else tuned_file(config, folder)


def larger_model(config):
    """The configuration of the model that this one is cut from; None if that is the base."""
    return read_config(f"{config['scene']}-{config['cut_from']}") if "cut_from" in config else None


def largest_model(config):
    """That of all that this one is cut from, itself included, which is cut from the base."""
    larger = larger_model(config)
    return largest_model(larger) if larger else config


def base_file(config):
    return CHECKPOINTS / f"{config['base']}.pt"


def cut_from(config, folder):
    larger = larger_model(config)
    return channels_file(larger, folder) if larger else base_file(config)


def options(scale, packed, seed=1):
    """Of all that trains."""
    return ["--side", 96 if scale == 2 else 128, "--seed", seed, "--data", packed]


def cut(config, folder, packed):
    """Steps to the channels of a model, by way of all that it is cut from. All is of the base's scale."""
    base, larger, out = read_config(config["base"]), larger_model(config), channels_file(config, folder)
    train = options(base["scale"], packed)
    if larger:
        yield from cut(larger, folder, packed)
    else:
        start = ["--config", CONFIGS / f"{config['base']}.toml", "--minutes", base["minutes"]]
        yield config["base"], base_file(config), ["train", *train, *start]
    sacp = ["sacp", *train, "--float", cut_from(config, folder), "--budget", config["budget"]]
    sacp += ["--rounds", config.get("rounds", 1), "--minutes", config["minutes"]["channels"]]
    yield out.stem, out, sacp


def steps(name, config, folder, data):
    """(what it makes, the file, module of compress and its arguments) of each step, in order."""
    minutes, mixed, packed = config["minutes"], folder / "mixed.npy", folder / f"{config['scene']}.npy"
    pack = ["pack", "--data", data, "--per-still", PER_STILL]
    yield "data of both scenes", mixed, [*pack, "--per-clip", 0, "--scenes", "landscape", "portrait"]
    scene = [*pack, "--per-clip", PER_CLIP[config["scene"]], "--scenes", config["scene"]]
    yield f"data of {config['scene']}", packed, scene

    yield from cut(config, folder, mixed)
    base_scale = read_config(config["base"])["scale"]
    net, float_net = channels_file(config, folder), float_file(config, folder)
    if "density" in config:
        dense, net = net, quads_file(config, folder)
        dsm = ["dsm", *options(base_scale, mixed), "--float", dense, "--teacher", cut_from(config, folder)]
        yield "quads", net, [*dsm, "--density", config["density"], "--minutes", minutes["quads"]]
    faded = ["--faded", FADED] if config["scale"] == 2 else []
    tune = ["train", "--peak", TUNING, "--guide", 0]
    if base_scale != config["scale"]:
        large, net = net, folder / f"x{config['scale']}-{config['rung']}-rescaled.pt"
        rescale = ["rescale", "--scale", config["scale"], "--float"]
        yield "rescaled", net, [*rescale, large]
        teacher = folder / f"x{config['scale']}-teacher.pt"
        yield "teacher", teacher, [*rescale, channels_file(largest_model(config), folder)]
        teach = [*tune, *faded, *options(config["scale"], mixed), "--init", net, "--teacher", teacher, "--only-teacher"]
        net = folder / f"x{config['scale']}-{config['rung']}-taught.pt"
        yield "taught", net, [*teach, "--minutes", minutes["taught"]]
    tuned = tuned_file(config, folder)
    runs = {seed: tuned.with_stem(f"{tuned.stem}-{seed}") for seed in range(1, config.get("runs", 0) + 1)}
    for seed, run in (runs or {1: tuned}).items():
        train = options(config["scale"], mixed, seed)
        name_of_run = "tuned" if run == tuned else run.stem
        yield name_of_run, run, [*tune, *faded, *train, "--init", net, "--minutes", minutes["tuned"]]
    if runs:
        yield "tuned", tuned, ["average", *runs.values()]
    net = tuned
    if "follow_rank" in config:
        narrow, net = folder / f"x{config['scale']}-{config['rung']}-narrow.pt", following_file(config, folder)
        yield "narrow", narrow, ["regrow", "--float", tuned, "--data", mixed, "--rank", config["follow_rank"]]
        yield "following", net, ["follow", "--float", narrow]
    train, degraded = options(config["scale"], packed), ["--degraded", DEGRADED[config["scene"]]]
    if "scene" in minutes:
        yield "scene", float_net, [*tune, *train, *degraded, "--init", net, "--minutes", minutes["scene"]]
    bits, integer = folder / f"{name}-bits.pt", folder / f"{name}-integer.pt"
    pde = ["pde", *train, "--float", float_net, "--average-bits", config["average_bits"]]
    yield "bits", bits, [*pde, "--activation-bits", config["activation_bits"]]
    quantise = ["quantise", *train, *degraded, "--float", bits, "--teacher", float_net]
    quantise += ["--peak", config.get("integer_rate", TUNING)]
    if base_scale != config["scale"] and "scene" not in minutes:
        quantise += [*faded, "--only-teacher"]
    yield "integer", integer, [*quantise, "--minutes", minutes["integer"]]
    export = ["export", "--checkpoint", integer, "--provenance", PROVENANCE, "--scene", config["scene"]]
    yield "model", MODELS / f"{name}.safetensors", [*export, "--rung", config["rung"], "--room", config.get("range_room", 1.0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a file of compress/configs/ without .toml")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/train", help="has stills/ and clips/")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "models", help="for what is made on the way")
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    args = parser.parse_args()
    file = CONFIGS / f"{args.model}.toml"
    if not file.exists() or args.model.startswith("base-"):
        models = sorted(f.stem for f in CONFIGS.glob("*.toml") if not f.stem.startswith("base-"))
        sys.exit(f"No model {args.model}: must be one of {', '.join(models)}.")
    args.folder.mkdir(parents=True, exist_ok=True)
    for what, out, command in steps(args.model, read_config(args.model), args.folder, args.data):
        command = [sys.executable, "-m", f"compress.{command[0]}", *map(str, command[1:]), "--out", str(out)]
        if args.dry_run:
            print(" ".join(command))
        elif "--minutes" in command or not out.exists():
            print(f"{what}: {out}", flush=True)
            subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
