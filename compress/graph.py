"""The graph of a network: the operations of its three stages, by name, in order.

The same graph is trained (net.py), quantised (quant.py) and written into the model
file (export.py), so there is one description of a network and not three.

Tensor names inside a stage are plain; `ref.X` and `nbr.X` in the align stage are the
frame stage's X of the centre frame and of the neighbour; `ref.X`, `nbr0.X`, `nbr1.X`, ...
in the fuse stage are the frame stage's X of the centre and the align stage's X of each
neighbour, in order of time.
"""

from dataclasses import dataclass, field

STAGES = ("frame", "align", "fuse")
SPARSE_BELOW = 0.8  # the part of a convolution's quads from which on engines run it as if all were there


@dataclass
class Tensor:
    """A feature map: `channels` real channels at pyramid `level` (level 0 is the input's size)."""

    channels: int
    level: int = 0


@dataclass
class Op:
    """One operation. `op` is input, conv, deform, add, up2, shuffle, pool, modulate, attention, follow or head."""

    op: str
    out: str
    inputs: list
    channels: int
    kernel: int = 1
    stride: int = 1
    act: str = "none"
    groups: int = 1
    limit: int = 0
    unshuffle: int = 1
    bits: int = 8  # of the weights: 8, 6 or 4
    max: int = 255  # greatest value of the output: 255, or 15 for an activation of 4 bits
    wide: bool = False  # a 16-bit output: offsets and the residual of the head
    border: str = "edge"  # what conv and deform find outside the picture: its edge, or zero
    of: str = "max"  # what pool takes of its windows: max or average
    gain: int = 1  # what up2 multiplies its values by, modulate its sigmoids
    quads: int | None = None  # of a sparse convolution: how many quads of weights are kept (dsm.py)


def quads(counts):
    """How many quads of four channels tensors of so many channels are: each is padded on its own."""
    return sum(-(-count // 4) for count in counts)


def quad_of_channel(counts):
    """The quad that each channel lies in, of concatenated tensors of so many channels."""
    return [quads(counts[:i]) + channel // 4 for i, count in enumerate(counts) for channel in range(count)]


@dataclass
class Graph:
    scale: int
    window: int = 3
    frame: list = field(default_factory=list)
    align: list = field(default_factory=list)
    fuse: list = field(default_factory=list)
    rgb: bool = False  # red, green and blue go through the network (the input is "rgb"), not luma alone ("luma")
    align_centre: bool = False  # the align stage runs for the centre too, among the neighbours
    base: str = "bicubic"  # what the residual is added to: bicubic or linear

    @property
    def aligned(self):
        """Frames that the align stage runs for."""
        return self.window if self.align_centre else self.window - 1

    @classmethod
    def from_dict(cls, fields):
        """The graph that `dataclasses.asdict` turned into dictionaries, as checkpoints hold it."""
        return cls(**{**fields, **{stage: [Op(**op) for op in fields[stage]] for stage in STAGES}})

    def operations(self):
        return (op for stage in STAGES for op in getattr(self, stage))

    def tensors(self, stage):
        """Every tensor visible in `stage`, by the name it has there."""
        table = {}
        if stage != "frame":
            frame = self.tensors("frame")
            for prefix in ("ref", "nbr") if stage == "align" else ("ref",):
                table.update({f"{prefix}.{k}": v for k, v in frame.items()})
        if stage == "fuse":
            align = {op.out: self.tensors("align")[op.out] for op in self.align}
            for i in range(self.aligned):
                table.update({f"nbr{i}.{k}": v for k, v in align.items()})
        else:
            table["rgb" if self.rgb else "luma"] = Tensor(3 if self.rgb else 1)
        for op in getattr(self, stage):
            level = max((table[i].level for i in op.inputs), default=0)
            if op.op in ("up2", "shuffle"):
                level -= 1
            elif op.op == "pool":
                level += 1
            elif op.op == "deform":
                level = table[op.inputs[0]].level
            elif op.stride == 2:
                level += 1
            table[op.out] = Tensor(op.channels, level)
        return table

    @property
    def follows(self):
        """Whether neighbours are shifted by the picture's pan."""
        return any(op.op == "follow" for op in self.align)

    def convolutions(self):
        """(operation, channels of its inputs, times that it runs per output pixel) of every convolution."""
        pixels = (self.scale * self.frame[0].unshuffle) ** 2
        for stage in STAGES:
            table = self.tensors(stage)
            times = self.aligned if stage == "align" else 1
            for op in getattr(self, stage):
                if op.op == "conv":
                    yield op, [table[i].channels for i in op.inputs], times / 4 ** table[op.out].level / pixels

    def macs(self):
        """Multiply-accumulates per output pixel, as executed: channels padded to quads of four, and of sparse
        convolutions what is kept."""
        total = 0.0
        for op, counts, times in self.convolutions():
            dense = quads([op.channels]) * 4 * quads(counts) * op.kernel**2
            total += times * 4 * (dense if op.quads is None else op.quads)
        return total
