#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a folder of model files, one good and each of the others broken in one way.

Beside them EXPECTED.tsv has a line for each broken file: its name, and a part of the message
that refuses it. The reader's tests check them all; the fuzzer starts from them.
"""

import argparse
import functools
import json
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from make_model import Builder, pack  # noqa: E402

MISSING = object()
built = functools.cache(Builder)


class Model:
    """A good model, whose parts can be changed before it is packed."""

    def __init__(self, **options):
        builder = built(**options)
        self.graph, self.metadata = json.loads(json.dumps(builder.graph)), builder.metadata()
        self.arrays = dict(builder.arrays)
        self.graph_text = None

    def op(self, path):
        stage, name = path.split(".")
        return next(op for op in self.graph[stage] if op["out"] == name)

    def set(self, target, field, value):
        if value is MISSING:
            del target[field]
        else:
            target[field] = value

    def pack(self):
        if "dssr.graph" in self.metadata:
            self.metadata["dssr.graph"] = self.graph_text or json.dumps(self.graph)
        return pack(self.metadata, self.arrays)

    def header(self):
        data = self.pack()
        length = struct.unpack("<Q", data[:8])[0]
        return json.loads(data[8 : 8 + length]), data[8 + length :]


def container(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class Corpus:
    def __init__(self, folder):
        self.folder, self.expected = folder, {}

    def write(self, name, data, expected=None):
        assert name not in self.expected
        (self.folder / f"{name}.safetensors").write_bytes(data)
        if expected is not None:
            self.expected[name] = expected

    def files(self):
        good = Model().pack()
        length = struct.unpack("<Q", good[:8])[0]
        write = self.write
        write("empty", b"", "file: has 0 bytes")
        write("seven-bytes", good[:7], "file: has 7 bytes")
        write("header-huge", b"\xff" * 8 + good[8:], "header: length is 18446744073709551615")
        write("header-past-end", struct.pack("<Q", len(good) - 7) + good[8:], "header: length is")
        write("header-empty", struct.pack("<Q", 0) + good[8:], "header: ")
        write("header-cut", struct.pack("<Q", length // 2) + good[8:], "header: not JSON")
        write("file-cut-in-header", good[: 8 + length // 2], "header: length is")
        write("file-cut-in-data", good[:-1], "data_offsets[1] is")
        write("file-too-long", good + b"\0", "data: the file has")
        write("header-text", container(b"hello", b""), "header: not JSON")
        write("header-array", container(b"[1, 2]", b""), "header: is not a JSON object")
        write("header-not-utf8", container(b'{"\xff\xfe": 1}', b""), "header: not JSON")
        write("header-nul", container(b'{"a": "\0"}', b""), "header: not JSON")
        write("header-comment", container(b"{/* a */}", b""), "header: not JSON")
        write("header-deep", container(b'{"a":' + b"[" * 500000, b""), "header: nested more than 16 deep")
        write("header-many", container(b'{"a":[' + b"0," * 200000 + b"0]}", b""), "header: more than 131072 values")
        write("member-twice", container(b'{"a": {"b": 1, "b": 2}}', b""), '"b" is there twice')
        write("member-number", container(b'{"a": 1}', b""), '"a": is not an object')

    def metadata(self):
        for key in ("dssr.version", "dssr.scale", "dssr.window", "dssr.graph"):
            bad = {"missing": MISSING, "number": 2, "word": "two", "huge": "9" * 100, "negative": "-2", "empty": ""}
            for what, value in bad.items():
                if key == "dssr.graph" and what not in ("missing", "number"):
                    continue
                model = Model()
                model.set(model.metadata, key, value)
                header, data = model.header() if value is not MISSING else (None, None)
                if header:
                    header["__metadata__"][key] = value
                expected = f'"{key}" is not a string' if what == "number" else f"__metadata__: {key} is"
                self.write(f"{key}-{what}", container(header, data) if header else model.pack(), expected)
        header, data = Model().header()
        header["__metadata__"] = [1]
        self.write("metadata-array", container(header, data), "__metadata__: is not an object")
        del header["__metadata__"]
        self.write("metadata-missing", container(header, data), "__metadata__: dssr.version is missing")
        texts = {
            "text": ("hello", "dssr.graph: not JSON"),
            "array": ("[]", "dssr.graph: is not a JSON object"),
            "deep": ("[" * 100000, "dssr.graph: nested more than 16 deep"),
            "cut": ('{"frame": [', "dssr.graph: not JSON"),
            "twice": ('{"frame": [], "frame": []}', 'dssr.graph: "frame" is there twice'),
        }
        for what, (text, expected) in texts.items():
            model = Model()
            model.graph_text = text
            self.write(f"graph-{what}", model.pack(), expected)
        for stage in ("frame", "align", "fuse"):
            for what, value in {"missing": MISSING, "object": {}, "number": 3}.items():
                model = Model()
                model.set(model.graph, stage, value)
                self.write(f"stage-{stage}-{what}", model.pack(), f"dssr.graph: {stage} is")
        for stage in ("frame", "fuse"):
            model = Model()
            model.graph[stage] = []
            self.write(f"stage-{stage}-empty", model.pack(), f"{stage}: has no operations")

    def fields(self):
        """Each field of an operation of each kind: absent, of another type, out of range."""
        integers = ("channels", "kernel", "stride", "bits", "shift", "zero", "max", "groups", "limit", "unshuffle")
        plain = ("frame.x", "frame.down2", "frame.block", "align.sampled3", "align.offup2", "fuse.att0", "fuse.out")
        published = ("frame.down2", "align.sampled3", "fuse.average", "fuse.modulated", "fuse.shuffled", "fuse.out")
        paths = [(path, {}) for path in plain] + [(path, dict(published=True)) for path in published]
        for path, options in paths:
            prefix = f"{'published-' if options else ''}{path}"
            for field, good in Model(**options).op(path).items():
                if options and field in ("op", "out", "in") and path in plain:
                    continue
                bad = {"missing": MISSING, "null": None, "object": {}}
                if isinstance(good, str):
                    bad.update(number=1, empty="", unknown="@\n\x1b[31m", long="x" * 100000 + "!")
                elif isinstance(good, bool):
                    bad.update(number=1, string="true")
                elif field in integers or (field == "mult" and not isinstance(good, list)):
                    bad.update(negative=-1, huge=10**30, wrap=2**32 + good, string=str(good), fraction=good + 0.5)
                    bad.update(large=32768, boolean=True)
                elif field == "mult":
                    bad.update(short=[1], long=[1, 2, 3], negative=[-1, 1], large=[1, 32768], string=["1", 1])
                else:
                    bad.update(empty=[], number=[1], unknown=["nothing"], many=good * 17, nested=[good])
                if field in ("border", "base"):
                    del bad["missing"]  # which is the edge, and bicubic
                for what, value in bad.items():
                    model = Model(**options)
                    op = model.op(path)
                    index = model.graph[path.split(".")[0]].index(op)
                    model.set(op, field, value)
                    where = f"{path.split('.')[0]}[{index}]" if field == "out" else path
                    self.write(f"{prefix}-{field}-{what}", model.pack(), f"{where}: {field}")

    def wiring(self):
        def case(name, expected, change, **options):
            model = Model(**options)
            change(model)
            self.write(name, model.pack(), expected)

        def reference(name, path, value, index=0):
            quoted = json.dumps(value)
            expected = f"{path}: in[{index}]: no tensor {quoted} before it"
            case(name, expected, lambda m: m.op(path)["in"].__setitem__(index, value))

        reference("reference-self", "frame.head", "head")
        reference("reference-forward", "frame.head", "down2")
        reference("reference-cycle", "frame.blocka", "blockb")
        reference("reference-other-stage", "fuse.fused", "off1")
        reference("reference-luma", "frame.head", "luma")
        reference("reference-frame-prefix", "frame.head", "ref.x")
        reference("reference-align-number", "align.off3", "nbr0.down3")
        reference("reference-fuse-nbr", "fuse.embref", "nbr.block")
        reference("reference-past-window", "fuse.att0", "nbr2.emb")
        reference("reference-negative", "fuse.att0", "nbr-.emb")
        reference("reference-empty", "fuse.att0", "")
        reference("reference-only-prefix", "fuse.att0", "ref.")
        reference("reference-two-dots", "fuse.att0", "ref.ref.block", 2)
        def inputs(name, expected, path, *names):
            case(name, expected, lambda m: m.op(path).update({"in": list(names)}))

        def insert(name, expected, stage, index, **op):
            case(name, expected, lambda m: m.graph[stage].insert(index, op))

        inputs("input-not-luma", "frame.x: in[0] is", "frame.x", "x")
        inputs("levels-differ", "fuse.fused: in[1] is at level 1", "fuse.fused", "ref.block", "ref.down2")
        inputs("add-channels", "fuse.recon: in[1] has", "fuse.recon", "fused", "embref")
        inputs("conv-wide-input", "align.dcn3: in[0] is wide", "align.dcn3", "offset3")
        inputs("deform-narrow", "align.sampled3: in[1] is 8 bits", "align.sampled3", "nbr.down3", "off3")
        inputs("head-narrow", "fuse.out: in[0] is 8 bits", "fuse.out", "recon")
        names = ["nbr0.emb", "ref.block", "nbr0.merged1"]
        inputs("attention-channels", "fuse.att0: in[1] has", "fuse.att0", *names)
        add = {"op": "add", "out": "sum", "in": ["offset3", "offset3"], "mult": [1, 1], "zero": 0, "max": 255}
        insert("add-wide", "align.sum: in[0] is wide", "align", 2, **add)
        up2 = {"op": "up2", "out": "up", "in": ["x"]}
        def rise(model):
            for i in range(3):
                op = {"op": "up2", "out": f"up{i}", "in": [f"up{i - 1}" if i else "x"]}
                model.graph["frame"].insert(1 + i, op)

        case("up2-above-output", "frame.up1: is at level -2, must be -1 to 15", rise)
        again = {"op": "input", "out": "x2", "in": ["luma"], "unshuffle": 1}
        insert("input-twice", 'frame.x2: op is "input"', "frame", 1, **again)
        early = {"op": "head", "out": "early", "in": ["residual"]}
        insert("head-not-last", 'fuse.early: op is "head": the last of fuse', "fuse", 7, **early)
        neighbour = "in[0] is no neighbour's"
        for stage, at, source in (("frame", 1, "x"), ("align", 0, "ref.block"), ("align", 2, "off3"), ("fuse", 1, "nbr0.emb")):
            op = {"op": "follow", "out": "moved", "in": [source]}
            insert(f"follow-{stage}-{at}", f"{stage}.moved: {neighbour}", stage, at, **op)
        coarse = {"op": "follow", "out": "moved", "in": ["nbr.down2"]}
        insert("follow-coarse", "align.moved: in[0] must have a pixel for each of luma", "align", 0, **coarse)

        def published(name, expected, change):
            case(name, expected, change, published=True)

        def rewire(path, i, name):
            return lambda m: m.op(path)["in"].__setitem__(i, name)

        published("pool-wide", "fuse.pooled: in[0] is wide", lambda m: m.graph["fuse"].insert(
            -1, {"op": "pool", "out": "pooled", "in": ["residual"], "of": "max"}))
        published("shuffle-channels", "fuse.shuffled: in[0] has 5 channels, must be a multiple of 4",
                  rewire("fuse.shuffled", 0, "embref"))
        published("shuffle-narrow", "fuse.shuffled: in[0] is wide", lambda m: m.op("fuse.wide").update(wide=True))
        published("modulate-channels", "fuse.modulated: in[2] has 5 channels", rewire("fuse.modulated", 2, "embref"))
        published("modulate-level", "fuse.modulated: in[1] is at level 1", rewire("fuse.modulated", 1, "coarse"))
        published("follow-rgb", "align.moved: in[0] must have a pixel for each of luma", lambda m: m.graph["align"].insert(
            0, {"op": "follow", "out": "moved", "in": ["nbr.block"]}))
        published("head-planes", "fuse.out: in[0] has 3 channels, must have 1",
                  lambda m: m.op("frame.x").update({"in": ["luma"]}))
        published("centre-not-aligned", 'fuse.att2: in[0]: no tensor "nbr2.emb"',
                  lambda m: m.graph.update(align_centre=False))
        published("centre-number", "dssr.graph: align_centre is not", lambda m: m.graph.update(align_centre=1))
        published("head-coarse", "fuse.out: in[0] is at level 2, must be at most 0", rewire("fuse.out", 0, "nbr0.offset3"))
        case("input-missing", 'op is "conv": the first of frame', lambda m: m.graph["frame"].pop(0))
        case("head-missing", 'op is "conv": the last of fuse', lambda m: m.graph["fuse"].pop())
        case("name-twice", "frame[2]: out is", lambda m: m.op("frame.blocka").update(out="head"))
        case("operation-number", "frame[1]: is not an object", lambda m: m.graph["frame"].__setitem__(1, 7))
        case("operations-many", "frame: has 263 operations", lambda m: m.graph["frame"].extend([{}] * 256))
        offsets = "align.sampled3: in[1] has 81 channels, must have 9"
        case("deform-offset-channels", offsets, lambda m: m.op("align.sampled3").update(kernel=1))
        groups = "align.sampled3: groups is 2, must divide the 3 quads"
        case("deform-groups", groups, lambda m: m.op("align.sampled3").update(groups=2))
        head = "fuse.out: in[0] has 4 channels, must have 16"
        case("head-channels", head, lambda m: m.metadata.update({"dssr.scale": "4"}))
        zero = "frame.head: zero is 24, must be 0 to 15"
        case("zero-above-max", zero, lambda m: m.op("frame.head").update(max=15))

        def deep(model):
            one = {f"frame.n{i}": model.op("frame.down3") for i in range(16)}
            source = "down3"
            for i in range(16):
                name = f"n{i}"
                model.graph["frame"].append(dict(one[f"frame.{name}"], out=name, **{"in": [source]}))
                for kind in ("weight", "bias", "mult", "mult_neg"):
                    model.arrays[f"frame.{name}.{kind}"] = model.arrays[f"frame.down3.{kind}"]
                source = name

        case("levels-many", "is at level 16", deep)

        def heavy(model):
            conv = dict(model.op("frame.head"), channels=4096)
            for out, inputs in (("big", ["x"]), ("huge", ["big", "big"])):
                model.graph["frame"].append(dict(conv, out=out, **{"in": inputs}))
            model.arrays["frame.big.weight"] = ("I8", [0, 4], b"")
            model.arrays["frame.big.mask"] = ("U8", [4608], bytes(4608))
            model.arrays["frame.big.bias"] = ("I32", [4096], bytes(4 * 4096))
            model.arrays["frame.big.mult"] = model.arrays["frame.big.mult_neg"] = ("I16", [4096], bytes(2 * 4096))

        case("weights-huge", "frame.huge: weight: more than 256 MiB", heavy)

    def arrays(self):
        """Each array of an operation: absent, of another type or shape, elsewhere in the file."""
        dense = ("weight", "bias", "mult", "mult_neg")
        cases = [("frame.down2", kind, {}) for kind in dense] + [("align.sampled3", "table", {}), ("fuse.att0", "table", {})]
        cases += [("frame.down2", kind, dict(sparse=True)) for kind in ("weight", "mask")]
        cases += [("frame.down2", "weight", dict(bits=bits)) for bits in (4, 6)]
        for path, kind, options in cases:
            tag = f"{path}-{kind}" + "".join(f"-{k}{v}" for k, v in options.items())
            dtype, shape, content = Model(**options).arrays[f"{path}.{kind}"]
            size = {"I8": 1, "U8": 1, "I16": 2, "I32": 4}[dtype]
            bad = {
                "missing": None,
                "short": (dtype, [shape[0] - 1] + shape[1:], content[: len(content) // shape[0] * (shape[0] - 1)]),
                "long": (dtype, [shape[0] + 1] + shape[1:], content + content[: len(content) // shape[0]]),
                "empty": (dtype, [0] + shape[1:], b""),
                "dims": (dtype, [1] + shape, content),
                "dtype": ("U8", [len(content)], content) if size > 1 else ("I16", shape, content * 2),
            }
            for what, array in bad.items():
                model = Model(**options)
                del model.arrays[f"{path}.{kind}"]
                if array:
                    model.arrays[f"{path}.{kind}"] = array
                expected = f"{path}: {kind} has" if array else f"tensor {path}.{kind} is missing"
                if kind == "mask" and not array:
                    expected = f"{path}: weight has"
                self.write(f"{tag}-{what}", model.pack(), expected)

        header, data = Model().header()
        name = "frame.down2.bias"
        good = header[name]
        begin, end = good["data_offsets"]
        bad = {
            "not-object": ([1], "is not an object"),
            "dtype-missing": ({k: v for k, v in good.items() if k != "dtype"}, "dtype is missing"),
            "dtype-unknown": (dict(good, dtype="F32"), 'dtype is "F32"'),
            "dtype-number": (dict(good, dtype=3), "dtype is not a string"),
            "shape-missing": ({k: v for k, v in good.items() if k != "shape"}, "shape is missing"),
            "shape-number": (dict(good, shape=12), "shape is not an array"),
            "shape-negative": (dict(good, shape=[-12]), "shape[0] is -12"),
            "shape-huge": (dict(good, shape=[2**62]), "shape[0] is"),
            "shape-product": (dict(good, shape=[2**28] * 8), "shape is larger"),
            "shape-wraps": (dict(good, shape=[2**16, 2**16, 2**16, 2**14 + 12]), "shape is larger"),
            "shape-fraction": (dict(good, shape=[12.5]), "shape[0] is not an integer"),
            "shape-many": (dict(good, shape=[1] * 9), "shape has 9 dimensions"),
            "shape-other": (dict(good, shape=[11]), "shape takes 44 bytes"),
            "offsets-missing": ({k: v for k, v in good.items() if k != "data_offsets"}, "data_offsets is missing"),
            "offsets-one": (dict(good, data_offsets=[begin]), "data_offsets must be two"),
            "offsets-string": (dict(good, data_offsets=[str(begin), str(end)]), "data_offsets[0] is not an integer"),
            "offsets-negative": (dict(good, data_offsets=[-1, end]), "data_offsets[0] is -1"),
            "offsets-swapped": (dict(good, data_offsets=[end, begin]), "data_offsets[1] is"),
            "offsets-dangling": (dict(good, data_offsets=[len(data), len(data) + 48]), "data_offsets[1] is"),
            "offsets-huge": (dict(good, data_offsets=[2**63 - 49, 2**63 - 1]), "data_offsets[0] is"),
            "offsets-overlap": (dict(good, data_offsets=[begin - 4, end - 4]), "data_offsets begin at"),
            "offsets-gap": (dict(good, data_offsets=[begin + 4, end + 4]), "data_offsets begin at"),
        }
        for what, (value, expected) in bad.items():
            self.write(f"array-{what}", container(dict(header, **{name: value}), data), expected)

    def contents(self):
        def case(name, expected, path, kind, pick, value, **options):
            model = Model(**options)
            dtype, shape, content = model.arrays[f"{path}.{kind}"]
            code = {"I8": "b", "U8": "B", "I16": "h", "I32": "i"}[dtype]
            count = len(content) // struct.calcsize(code)
            values = list(struct.unpack(f"<{count}{code}", content))
            values[pick] = value
            model.arrays[f"{path}.{kind}"] = (dtype, shape, struct.pack(f"<{count}{code}", *values))
            self.write(name, model.pack(), f"{path}: {expected}")

        case("mult-negative", "mult[3] is -1", "frame.head", "mult", 3, -1)
        case("mult-neg-negative", "mult_neg[3] is -5", "frame.head", "mult_neg", 3, -5)
        case("mult-neg-large", "mult_neg[3] is 32767, must be at most mult", "frame.head", "mult_neg", 3, 32767)
        case("bias-overflows", "bias[5] and weight can add up to", "frame.head", "bias", 5, 2**31 - 1)
        case("bias-overflows-below", "bias[5] and weight can add up to", "frame.head", "bias", 5, -(2**31))

        def edge(over, path, out, row, maxima):
            """The greatest bias that cannot overflow, and `over` more."""
            model = Model(bits=4)
            op = model.op(path)
            dense = built(bits=4).dense[path][row]
            reach = sum(abs(w) * m for w, m in zip(dense, maxima, strict=True)) + (1 << op["shift"] >> 1)
            dtype, shape, content = model.arrays[f"{path}.bias"]
            values = list(struct.unpack(f"<{shape[0]}i", content))
            values[row] = 2**31 - 1 - reach + over
            model.arrays[f"{path}.bias"] = (dtype, shape, struct.pack(f"<{shape[0]}i", *values))
            expected = f"{path}: bias[{row}] and weight can add up to {2**31 - 1 + over}," if over else None
            self.write(out, model.pack(), expected)

        for over in (0, 1):
            name = "bias-over" if over else "good-bias"
            edge(over, "fuse.fused", f"{name}-inputs", 5, [255] * 24)
            edge(over, "frame.blockb", f"{name}-max", 6, [15] * 72)
        case("mask-quad-more", "weight has shape", "frame.down2", "mask", 0, 255, sparse=True)
        case("mask-quad-less", "weight has shape", "frame.down2", "mask", 0, 0, sparse=True)
        # Four outputs, one tap, one quad of inputs: four bits of the only byte.
        model = Model(sparse=True)
        conv = dict(model.op("frame.down3"), out="tiny", channels=4, stride=1, act="none", **{"in": ["x"]})
        model.graph["frame"].append(conv)
        for kind, array in {
            "weight": ("I8", [0, 4], b""),
            "mask": ("U8", [1], b"\x10"),
            "bias": ("I32", [4], bytes(16)),
            "mult": ("I16", [4], bytes(8)),
        }.items():
            model.arrays[f"frame.tiny.{kind}"] = array
        self.write("mask-bits-after", model.pack(), "frame.tiny: mask has bits after the last quad")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(folder)
    corpus.write("good", Model().pack())
    corpus.write("good-published", Model(published=True).pack())
    corpus.write("good-sparse", Model(sparse=True, bits=6, scale=4, window=5).pack())
    for part in (corpus.files, corpus.metadata, corpus.fields, corpus.wiring, corpus.arrays, corpus.contents):
        part()
    lines = [f"{name}\t{expected}\n" for name, expected in corpus.expected.items()]
    (folder / "EXPECTED.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
