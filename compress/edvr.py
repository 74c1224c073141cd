"""EDVR, compressed: the graph of design section 5, every size a parameter.

Kept from EDVR (Wang et al., 2019): features once per frame, a three-level pyramid, PCD
alignment with modulated deformable convolution refined coarse to fine, temporal attention
(TSA), residual reconstruction, pixel-shuffle on an interpolated base.
"""

from .graph import Graph, Op

LIMIT = 16 * 16  # offsets reach 16 pixels of their level, in 1/16 pixel


def edvr(
    scale,
    window=3,
    channels=(16, 16, 16),
    offset_channels=(8, 12, 16),
    offset_kernel=3,
    embed_channels=4,
    frame_blocks=1,
    fuse_blocks=2,
    unshuffle=1,
    cascade=False,
):
    """Builds the graph.

    channels, offset_channels: features and offset features at pyramid levels 1, 2, 3 (full, half, quarter)
    offset_kernel: kernel of the convolution that makes offsets out of offset features
    embed_channels: length of the vectors that temporal attention correlates
    frame_blocks, fuse_blocks: residual blocks before and after alignment
    cascade: at full resolution, features are sampled where the coarser level says, and what is aligned so far is compared
        with the reference and sampled once more (EDVR's cascading refinement); convolutions of three pixels see a
        motion of two pixels only once it is nearly undone
    """
    c1, c2, c3 = channels
    o1, o2, o3 = offset_channels
    g = Graph(scale, window)

    def conv(stage, out, inputs, ch, kernel=3, act="leaky", **kw):
        stage.append(Op("conv", out, inputs, ch, kernel=kernel, act=act, **kw))
        return out

    def blocks(stage, x, prefix, count, ch):
        for i in range(count):
            conv(stage, f"{prefix}{i}a", [x], ch, act="relu")
            conv(stage, f"{prefix}{i}b", [f"{prefix}{i}a"], ch, act="none")
            stage.append(Op("add", f"{prefix}{i}", [x, f"{prefix}{i}b"], ch))
            x = f"{prefix}{i}"
        return x

    g.frame.append(Op("input", "x", ["luma"], unshuffle**2, unshuffle=unshuffle))
    conv(g.frame, "head", ["x"], c1)
    f1 = blocks(g.frame, "head", "block", frame_blocks, c1)
    conv(g.frame, "down2", [f1], c2, stride=2)
    conv(g.frame, "down3", ["down2"], c3, stride=2)
    features = {1: f1, 2: "down2", 3: "down3"}

    def sample(n, f, offset_features, ch, taps):
        """Features `f` by deformable convolution, at offsets made of `offset_features`."""
        groups = ch // 4
        conv(g.align, f"offset{n}", [offset_features], 3 * groups * taps**2, offset_kernel, "none", wide=True)
        g.align.append(
            Op("deform", f"sampled{n}", [f, f"offset{n}"], ch * taps**2, kernel=taps, groups=groups, limit=LIMIT)
        )
        # The last one is linear: features that are all on the flat side of an activation starve alignment.
        return conv(g.align, f"dcn{n}", [f"sampled{n}"], ch, 1, "none" if n == 0 else "leaky")

    def level(n, ch, off_ch, taps, coarser):
        """One level of PCD: offsets from both frames and the coarser level, sample, merge."""
        f = features[n]
        inputs = [f"nbr.{f}", f"ref.{f}"]
        if coarser:
            up = f"offup{n}"
            g.align.append(Op("up2", up, [f"off{n + 1}"], offset_channels[n]))
            inputs.append(up)
        if cascade and n == 1:
            aligned = sample(n, f"nbr.{f}", up, ch, taps)
        else:
            conv(g.align, f"off{n}", inputs, off_ch)
            aligned = sample(n, f"nbr.{f}", f"off{n}", ch, taps)
        if coarser:
            up = f"alignedup{n}"
            g.align.append(Op("up2", up, [coarser], channels[n]))
            aligned = conv(g.align, f"merged{n}", [aligned, up], ch, 1)
        return aligned

    aligned = level(3, c3, o3, 3, None)
    aligned = level(2, c2, o2, 1, aligned)
    aligned = level(1, c1, o1, 1, aligned)
    if cascade:
        conv(g.align, "off0", [aligned, f"ref.{f1}"], o1)
        aligned = sample(0, aligned, "off0", c1, 1)
    conv(g.align, "emb", [aligned], embed_channels, 1, "none")

    ref = f"ref.{f1}"
    conv(g.fuse, "embref", [ref], embed_channels, 1, "none")
    attended = []
    for i in range(window - 1):
        g.fuse.append(Op("attention", f"att{i}", [f"nbr{i}.emb", "embref", f"nbr{i}.{aligned}"], c1))
        attended.append(f"att{i}")
    half = len(attended) // 2
    conv(g.fuse, "fused", attended[:half] + [ref] + attended[half:], c1, 1)
    x = blocks(g.fuse, "fused", "recon", fuse_blocks, c1)
    conv(g.fuse, "residual", [x], (scale * unshuffle) ** 2, act="none", wide=True)
    g.fuse.append(Op("head", "out", ["residual"], (scale * unshuffle) ** 2))
    return g
