"""The `"qcfs"` response on PyTorch's CPU: one pass through memory instead of a dozen."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

__all__ = ["applies", "quantised"]

# Numbers per piece: the float32 copy of a piece (256 KB) stays in the processor's cache.
_PIECE = 2**16


def applies(a: Any, v_0: Any) -> bool:
    """Whether `quantised` can be used; it needs a CPU, and the same `v_0` for all activations."""
    return a.device.type == "cpu" and isinstance(v_0, float) and not torch.compiler.is_compiling()


def quantised(a: torch.Tensor, gain: float, time_steps: int, v_0: float) -> Any:
    """As `keras_proxy_snn.training.responses.response`, bit for bit."""
    return _Quantised.apply(a, gain, time_steps, v_0)


class _Quantised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, gain: float, time_steps: int, v_0: float) -> Any:
        a = a.contiguous()
        result = torch.empty_like(a)
        follows = torch.empty_like(a, dtype=torch.bool)
        level = torch.empty(min(_PIECE, a.numel()))
        pieces = (flat.view(-1).split(_PIECE) for flat in (a, result, follows))
        for piece, rounded, inside in zip(*pieces, strict=True):
            exact = level[: piece.numel()].copy_(piece).mul_(time_steps).div_(gain).add_(v_0)
            bounded = exact.clamp(0.0, time_steps)
            torch.eq(exact, bounded, out=inside)
            rounded.copy_(bounded.floor_().div_(time_steps).mul_(gain))
        ctx.save_for_backward(follows)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (follows,) = ctx.saved_tensors
        return gradient * follows, None, None, None
