"""What the tests of the tools share. They run from the build folder: DSSR_BUILD names it.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ['DSSR_BUILD'])
MODELS = BUILD / 'tests' / 'models'


def launch(*pipeline: str) -> None:
    """Runs a gst-launch line to its end, without our plug-in, which may need a sanitizer that gst-launch has not."""
    env = {k: v for k, v in os.environ.items() if k not in ('GST_PLUGIN_PATH', 'GST_REGISTRY', 'GST_REGISTRY_FORK')}
    subprocess.run(['gst-launch-1.0', '-q', *' '.join(pipeline).split()], check=True, timeout=60, env=env)


# Moving content that a codec has something to do with.
VIDEO = 'videotestsrc pattern={pattern} num-buffers={frames} ! video/x-raw,width={width},height={height},framerate=25/1{caps}'
SOUND = 'audiotestsrc wave=ticks num-buffers={buffers} samplesperbuffer=1920 ! audio/x-raw,rate=48000,channels=2'


@pytest.fixture
def make_video(tmp_path):
    """Makes a compressed video with sound in a temporary folder, and returns its path."""

    def make(name='input.mp4', frames=25, width=64, height=48, mux='mp4mux', video='x264enc ! h264parse',
             audio='avenc_aac', caps=',format=I420', filters='', pattern='ball'):
        path = tmp_path / name
        lines = [f'{mux} name=m ! filesink location={path}']
        if video:
            lines.append(f'{VIDEO} {filters} ! {video} ! queue ! m.'.format(
                frames=frames, width=width, height=height, caps=caps, pattern=pattern))
        if audio:
            lines.append(f'{SOUND} ! audioconvert ! {audio} ! queue ! m.'.format(buffers=frames))
        launch(*lines)
        return path

    return make


@pytest.fixture(scope='session')
def devices():
    """The devices of Vulkan, as they are shown to people."""
    done = subprocess.run([BUILD / 'tools' / 'dssr-bench', '--list'], capture_output=True, text=True, check=True)
    if not done.stdout.startswith('0: '):
        pytest.skip('there is no Vulkan device')
    return done.stdout.splitlines()


@pytest.fixture
def upscale():
    """Runs dssr-upscale with a test model, and returns the finished process."""

    def run(*args, model='x2-zero', **options):
        command = [BUILD / 'tools' / 'dssr-upscale', *args]
        if model:
            command += ['--model', MODELS / f'{model}.safetensors']
        return subprocess.run(list(map(str, command)), stderr=subprocess.PIPE, text=True, timeout=120, **options)

    return run
