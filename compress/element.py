"""The real element in a real pipeline, for measurements and tests."""

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def _environment():
    """Finds the plug-in in the build tree unless the caller's environment already names one."""
    env = dict(os.environ)
    build = Path(env.get("DSSR_BUILD", ROOT / "build"))
    if (build / "gst" / "dssr").is_dir():
        env["GST_PLUGIN_PATH"] = f"{build / 'gst' / 'dssr'}:{env.get('GST_PLUGIN_PATH', '')}"
    return env


def _padded(width):
    """GStreamer's default stride of an 8-bit plane."""
    return -(-width // 4) * 4


def enlarge(pictures, scale, **properties):
    """Enlarges (frames, height, width) uint8 luma, or (frames, height, width, 3) RGB, with dssuperres; `properties` are
    the element's."""
    height, width, *colours = pictures.shape[1:]
    row = width * (colours[0] if colours else 1)
    pixels = pictures.reshape(-1, height, row)
    form = "rgb" if colours else "gray8"
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in"), Path(folder, "out")
        source.write_bytes(np.pad(pixels, ((0, 0), (0, 0), (0, _padded(row) - row))).tobytes())
        settings = [f"{k.replace('_', '-')}={v}" for k, v in properties.items() if v is not None]
        command = [
            "gst-launch-1.0", "-q", "filesrc", f"location={source}",
            "!", "rawvideoparse", f"width={width}", f"height={height}", f"format={form}", "framerate=25/1",
            "!", "dssuperres", f"scale={scale}", *settings,
            "!", f"video/x-raw,format={form.upper()}", "!", "filesink", f"location={result}",
        ]  # fmt: skip
        run = subprocess.run(command, env=_environment(), capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)}\nended with {run.returncode}:\n{run.stdout}{run.stderr}")
        enlarged = np.frombuffer(result.read_bytes(), np.uint8)
    enlarged = enlarged.reshape(-1, scale * height, _padded(scale * row))[:, :, : scale * row]
    return enlarged.reshape(-1, scale * height, scale * width, *colours)
