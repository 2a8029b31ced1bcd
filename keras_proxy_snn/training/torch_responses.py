"""The `"qcfs"` response on PyTorch's CPU by Numba: one pass through memory instead of a dozen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from ..basics.bfloat16 import DTYPES, in_numpy
from ..basics.processor import numba_works
from ..basics.threads import in_threads

__all__ = ["applies", "quantised"]

# Numbers per thread, at least; a thread that has fewer takes longer to start than to work.
_SHARE = 2**16


def applies(a: Any, v_0: Any) -> bool:
    """Whether `quantised` can be used: on a CPU, with Numba and one `v_0` for all activations."""
    return (
        a.device.type == "cpu"
        and a.dtype in DTYPES
        and isinstance(v_0, float)
        and not torch.compiler.is_compiling()
        and numba_works()
    )


def quantised(a: torch.Tensor, gain: float, time_steps: int, v_0: float) -> Any:
    """As `keras_proxy_snn.training.responses.response`, bit for bit."""
    return _Quantised.apply(a, gain, time_steps, v_0)


class _Quantised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, gain: float, time_steps: int, v_0: float) -> Any:
        from .cpu_kernel import quantise

        a = a.contiguous()
        result = torch.empty_like(a)
        follows = torch.empty_like(a, dtype=torch.bool)
        settings = [np.float32(number) for number in (gain, time_steps, v_0)]
        given, rounded = map(_bits, (a, result))
        inside = follows.view(-1).numpy()
        _in_parts(
            lambda part: quantise(given[part], *settings, rounded[part], inside[part]), a.numel()
        )
        ctx.save_for_backward(follows)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        from .cpu_kernel import select

        (follows,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        result = torch.empty_like(gradient)
        given, passed = map(_bits, (gradient, result))
        inside = follows.view(-1).numpy()
        _in_parts(lambda part: select(given[part], inside[part], passed[part]), gradient.numel())
        return result, None, None, None


def _bits(x: torch.Tensor) -> np.ndarray:
    """Unsigned integers in the memory of contiguous numbers, flat."""
    return in_numpy(x.view(-1)).view(f"uint{8 * x.itemsize}")


def _in_parts(work: Callable[[slice], Any], numbers: int) -> None:
    """Share flat arrays among threads."""
    shares = -(-numbers // _SHARE)
    in_threads(
        lambda part: work(slice(part.start * _SHARE, min(part.stop * _SHARE, numbers))), shares
    )
