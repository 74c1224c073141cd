"""What cameras and streams do to pictures: training learns from it, and models are measured on it."""

from fractions import Fraction

import av
import numpy as np

from .footage import luma_of


NOISE, STREAM, BOTH = range(3)
STILL = 0.5  # part of what is degraded that stands still, as most of what a fixed camera sees: only there can all frames be averaged


def noisy(frames, deviation, rng):
    """Luma frames, uint8, with a sensor's noise, another in each frame."""
    return (frames + rng.normal(scale=deviation, size=frames.shape)).round().clip(0, 255).astype(np.uint8)


def encoded(frames, crf):
    """Luma frames, (count, height, width) uint8, as H.264 of that constant rate factor gives them back: a key frame, and
    the others predicted from those before, as live video has them."""
    encoder, decoder = av.CodecContext.create("libx264", "w"), av.CodecContext.create("h264", "r")
    _, encoder.height, encoder.width = frames.shape
    encoder.pix_fmt, encoder.time_base, encoder.thread_count = "gray", Fraction(1, 30), 1
    encoder.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency"}
    decoder.thread_count = 1
    packets = [p for y in frames for p in encoder.encode(av.VideoFrame.from_ndarray(y, format="gray"))]
    pictures = [picture for packet in [*packets, *encoder.encode(None), None] for picture in decoder.decode(packet)]
    return np.stack([luma_of(picture) for picture in pictures])


def degraded(frames, rng):
    """Luma frames with a sensor's noise, or what a codec leaves, or both; a part STILL of them shows the centre throughout."""
    if rng.random() < STILL:
        frames = np.broadcast_to(frames[len(frames) // 2], frames.shape)
    kind = rng.integers(3)
    if kind != STREAM:
        frames = noisy(frames, rng.uniform(0.5, 4), rng)
    if kind != NOISE:
        frames = encoded(frames, rng.integers(15, 33))
    return frames
