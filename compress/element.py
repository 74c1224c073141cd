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


def enlarge(luma, scale, **properties):
    """Enlarges (frames, height, width) uint8 luma with dssuperres; `properties` are the element's."""
    count, height, width = luma.shape
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in"), Path(folder, "out")
        source.write_bytes(np.pad(luma, ((0, 0), (0, 0), (0, _padded(width) - width))).tobytes())
        settings = [f"{k.replace('_', '-')}={v}" for k, v in properties.items() if v is not None]
        command = [
            "gst-launch-1.0", "-q", "filesrc", f"location={source}",
            "!", "rawvideoparse", f"width={width}", f"height={height}", "format=gray8", "framerate=25/1",
            "!", "dssuperres", f"scale={scale}", *settings,
            "!", "video/x-raw,format=GRAY8", "!", "filesink", f"location={result}",
        ]  # fmt: skip
        run = subprocess.run(command, env=_environment(), capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)}\nended with {run.returncode}:\n{run.stdout}{run.stderr}")
        pictures = np.frombuffer(result.read_bytes(), np.uint8)
    return pictures.reshape(-1, scale * height, _padded(scale * width))[:, :, : scale * width]
