"""What trains on an NVIDIA GPU. Its kernels run here as C++, a thread after the other, against those of the CPU; where there
is a GPU, also there."""

import ctypes
import subprocess

import pytest
import torch

from compress import cuda, native
from compress.edvr import edvr
from compress.net import Net
from test_native import compare

LAST = torch.channels_last

SHIM = """
#include <algorithm>
#include <cmath>
using std::max;
using std::min;
#define __device__
#define __global__
static struct { int x; } blockIdx, blockDim = {1}, threadIdx;
static void atomicAdd (float *at, float value) { *at += value; }
"""
LAUNCH = """
extern "C" void launch_%s (%sint count, int height, int width, int channels, int groups, int kernel, int zero_border, float limit)
{
  for (blockIdx.x = 0; blockIdx.x < count + 3; blockIdx.x++)
    %s (%scount, height, width, channels, groups, kernel, zero_border, limit);
}
"""
POINTERS = dict(deform_forward=3, deform_backward=5, pad_forward=2, pad_backward=2)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cuda")
    launches = [
        LAUNCH % (name, "".join(f"float *p{i}, " for i in range(n)), name, "".join(f"p{i}, " for i in range(n)))
        for name, n in POINTERS.items()
    ]
    (folder / "native.cc").write_text(SHIM + cuda.SOURCE.read_text() + "".join(launches))
    subprocess.run(["clang++", "-O1", "-shared", "-fPIC", folder / "native.cc", "-o", folder / "native.so"], check=True)
    return ctypes.CDLL(str(folder / "native.so"))


@pytest.fixture
def as_on_gpu(library, monkeypatch):
    """Lets compress.cuda call the kernels on the CPU."""

    def call(name, count, *tensors, like, groups=1, kernel_size=1, border="edge", limit=0.0):
        _, channels, height, width = like.shape
        assert all(t.is_contiguous(memory_format=LAST) and t.dtype == torch.float for t in tensors)
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in tensors]
        shape = (count, height, width, channels, groups, kernel_size, int(border == "zero"))
        getattr(library, f"launch_{name}")(*pointers, *shape, ctypes.c_float(limit))

    monkeypatch.setattr(cuda, "call", call)


@pytest.mark.parametrize("border", ("edge", "zero"))
@pytest.mark.parametrize("groups, width, kernel, spread", ((2, 4, 1, 1), (3, 4, 3, 4), (2, 5, 3, 30), (8, 8, 3, 2)))
def test_deform(as_on_gpu, border, groups, width, kernel, spread):
    torch.manual_seed(groups)
    feature = torch.randn(2, groups * width, 7, 9, requires_grad=True)
    offsets = (spread * torch.randn(2, 3 * groups * kernel**2, 7, 9)).requires_grad_()
    how = (groups, kernel, border, 6.0)
    compare(lambda f, o: cuda.Deform.apply(f, o, *how), lambda f, o: native.Deform.apply(f, o, *how), (feature, offsets))


@pytest.mark.parametrize("shape", ((2, 4, 5, 7), (1, 3, 1, 1), (2, 8, 2, 1), (1, 2, 1, 6)))
def test_edge_pad(as_on_gpu, shape):
    compare(cuda.EdgePad.apply, native.EdgePad.apply, (torch.randn(*shape, requires_grad=True),))


@pytest.mark.parametrize("window, size", ((3, (16, 20)), (5, (13, 18))))
def test_all_frames_at_once_are_the_same_network(window, size):
    torch.manual_seed(window)
    net = Net(edvr(4, window=window, channels=(8, 8, 12), fuse_blocks=1))
    wide = cuda.WideNet(net.graph)
    wide.load_state_dict(net.state_dict())
    low = torch.rand(3, window, *size)
    assert torch.allclose(wide(low), net(low), atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_network_on_the_gpu_is_that_of_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # which rounds to 10 bits
    torch.manual_seed(1)
    net = Net(edvr(4, channels=(8, 8, 12)))
    wide = cuda.WideNet(net.graph)
    wide.load_state_dict(net.state_dict())
    wide.to("cuda", memory_format=LAST)
    low = torch.rand(2, 3, 24, 32)
    gradients = []
    for network, x in ((net, low), (wide, low.cuda())):
        picture = network(x)
        (picture**2).mean().backward()
        gradients.append([picture.detach().cpu(), *(p.grad.cpu() for p in network.parameters())])
    for expected, got in zip(*gradients):
        assert (got - expected).norm() <= 5e-3 * expected.norm() + 1e-6
