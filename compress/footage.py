"""Windows of luma out of a user's videos."""

import av
import numpy as np

ROUTE = 300  # frames that are decoded at most on the way from a key frame to a place


class FootageError(Exception):
    """A video that cannot be used; says why and what to do."""


def luma_of(frame):
    """The luma plane as it is stored, rounded to 8 bits, (height, width) uint8."""
    kind = frame.format
    if kind.is_rgb or kind.components[0].bits != 8 or not (kind.is_planar or kind.name == "gray"):
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def windows_of(file, length, count, side, seed=0):
    """Up to `count` windows of `length` frames from places all over a video: (length, side, side), or smaller where the
    picture is. Each is cut at random out of its frames."""
    rng = np.random.default_rng(seed)
    try:
        with av.open(str(file)) as container:
            if not container.streams.video:
                raise FootageError(f"{file} has no video: give a video file.")
            stream = container.streams.video[0]
            found = 0
            for frames in _places(container, stream, length, count):
                height, width = frames[0].shape
                y, x = (int(rng.integers(max(1, size - side + 1))) for size in (height, width))
                found += 1
                yield np.stack([frame[y : y + side, x : x + side] for frame in frames])
    except (OSError, av.error.FFmpegError) as error:
        raise FootageError(f"{file} cannot be decoded ({error}): give a video that FFmpeg reads.") from error
    if not found:
        raise FootageError(f"{file} has fewer than {length} frames: give a longer video.")


def _places(container, stream, length, count):
    """Runs of `length` frames, from places spread over the duration or, if that is unknown, one after the other."""
    duration = stream.duration or (container.duration and int(container.duration / 1e6 / stream.time_base))
    start = stream.start_time or 0
    for place in range(count):
        target = start + duration * place // count if duration else None
        if duration and place:
            container.seek(target, stream=stream)
        run = []
        for i, frame in enumerate(container.decode(stream)):
            run = [*run[-length + 1 :], luma_of(frame)] if length > 1 else [luma_of(frame)]
            there = target is None or frame.pts is None or frame.pts >= target or i >= ROUTE
            if len(run) == length and there:
                break
        if len(run) < length:
            return
        yield run
