"""Multiply-accumulates are counted as executed, every size is a parameter, and a graph survives its checkpoint."""

from dataclasses import asdict

from compress.edvr import edvr
from compress.graph import Graph, Op


def test_graph_from_checkpoint():
    graph = edvr(4, channels=(8, 12, 16), fuse_blocks=1)
    assert Graph.from_dict(asdict(graph)) == graph


def test_macs_by_hand():
    g = Graph(2)
    g.frame = [
        Op("input", "x", ["luma"], 1),
        Op("conv", "a", ["x"], 8, kernel=3),  # 4 -> 8, 9 taps: 288 a pixel
        Op("conv", "b", ["a"], 6, kernel=3, stride=2),  # 8 -> 8, a quarter of the pixels: 144
    ]
    g.align = [Op("conv", "c", ["nbr.a", "ref.a"], 4)]  # 16 -> 4, two neighbours: 128
    assert g.macs() == (288 + 144 + 128) / 4


def test_every_size_is_a_parameter():
    small = edvr(2, channels=(8, 8, 8), offset_channels=(4, 4, 4))
    wide = edvr(2, window=5, channels=(32, 48, 64), offset_channels=(16, 24, 32), frame_blocks=3, fuse_blocks=5)
    assert wide.macs() > 20 * small.macs()
    assert {f"att{i}" for i in range(4)} <= {op.out for op in wide.fuse}


def test_cascade_compares_what_is_aligned_with_the_reference():
    graph = edvr(2, channels=(8, 8, 8), offset_channels=(4, 4, 4), cascade=True)
    align = {op.out: op for op in graph.align}
    assert "off1" not in align and align["offset1"].inputs == ["offup1"]
    assert align["off0"].inputs == ["merged1", "ref.block0"]
    assert align["sampled0"].inputs == ["merged1", "offset0"]
    assert graph.fuse[1].inputs[2] == "nbr0.dcn0"
