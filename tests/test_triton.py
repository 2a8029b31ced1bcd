"""The GPU's kernel against the equations, run by Triton's interpreter where there is no GPU."""

import importlib

import keras
import numpy as np
import pytest

from keras_proxy_snn import neuron

pytest.importorskip("triton", reason="the kernel is Triton's")
if keras.config.backend() != "torch":
    pytest.skip("the kernel is for the PyTorch backend", allow_module_level=True)
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Two blocks of neurons, of which the second is not full.
SHAPE = (7, 30, 7)


@pytest.fixture(scope="module")
def kernel():
    """The module, whose decorators ask at import whether to interpret."""
    with pytest.MonkeyPatch.context() as patch:
        if DEVICE == "cpu":
            patch.setenv("TRITON_INTERPRET", "1")
        yield importlib.reload(importlib.import_module("keras_proxy_snn._triton"))


@pytest.mark.parametrize("reset", neuron.RESETS)
@pytest.mark.parametrize("time_steps", [None, 3], ids=["currents", "constant current"])
@pytest.mark.parametrize("learned", [False, True], ids=["number", "learned threshold"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_kernel_gives_the_bits_of_the_equations(kernel, dtype, learned, time_steps, reset):
    rng = np.random.default_rng(0)
    shape = (2, *SHAPE) if time_steps else (2, 3, *SHAPE)
    current = torch.tensor(rng.normal(0.3, 1, shape), dtype=getattr(torch, dtype), device=DEVICE)
    v = torch.tensor(rng.normal(0, 1, (2, *SHAPE)), dtype=torch.float32, device=DEVICE)
    bias = torch.tensor(rng.normal(0, 0.1, SHAPE[-1:]), dtype=torch.float32, device=DEVICE)
    bias = None if learned else bias
    theta = torch.tensor(0.7, device=DEVICE) if learned else 0.7
    before = v.clone()
    spikes, after = kernel.simulate(current, v, theta, reset, time_steps, bias, dtype)
    expected = neuron.simulate(current, v, theta, reset, time_steps, bias=bias)
    assert spikes.dtype == getattr(torch, dtype)
    assert 0.1 < float(spikes.float().mean()) < 0.9
    torch.testing.assert_close(spikes.float(), expected[0], rtol=0, atol=0)
    torch.testing.assert_close(after, expected[1], rtol=0, atol=0)
    torch.testing.assert_close(v, before, rtol=0, atol=0)  # potentials before are the caller's


def test_no_images_give_no_spikes(kernel):
    nothing = torch.zeros((0, 4, *SHAPE), device=DEVICE)
    spikes, after = kernel.simulate(nothing, nothing[:, 0], 1.0, "zero", None, None, "float32")
    assert spikes.shape == (0, 4, *SHAPE)
    assert after.shape == (0, *SHAPE)
