"""Normalisation in front of a frozen layer: forward, and backward by hand.

`RmsNorm` keeps one number a token and computes its output again when it is needed; `ModuleNorm`
takes any module of an architecture and lets autograd do it.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from twinkle_jupyter.engine.compute_dtype import convert_like

#: Largest difference to the architecture's own module, in units of the last place of its dtype.
_PROBE_ROUNDINGS = 8.0


class Norm(Protocol):
    """Maps (..., D) to (..., D)."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, and what backward needs beside the input."""
        ...

    def recompute(self, x: Tensor, kept: Tensor) -> Tensor:
        """Return the output again."""
        ...

    def backward(self, grad_out: Tensor, x: Tensor, kept: Tensor) -> Tensor:
        """Return the input's gradient; `grad_out` may be overwritten."""
        ...


class RmsNorm(Norm):
    """Root mean square layer normalisation (Zhang & Sennrich 2019, arXiv:1910.07467).

    Args:
        weight: (D,) what the normalised input is multiplied by.
        eps: Added to the mean square.
    """

    def __init__(self, weight: Tensor, eps: float) -> None:
        self._weight = weight
        self._eps = eps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output and (..., 1) the reciprocal root mean square."""
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=_at_least_fp32(x))
        inverse = (norm.square_() / x.shape[-1]).add_(self._eps).rsqrt_()
        return self.recompute(x, inverse), inverse

    def recompute(self, x: Tensor, kept: Tensor) -> Tensor:
        """Return the output again."""
        return convert_like((x * kept).mul_(self._weight), x)

    def backward(self, grad_out: Tensor, x: Tensor, kept: Tensor) -> Tensor:
        """Return the input's gradient; `grad_out` is overwritten."""
        grad = convert_like(grad_out, kept).mul_(self._weight)
        # d/dx of x_i / rms: the part along x is taken out.
        along = (grad * x).sum(dim=-1, keepdim=True)
        along.mul_(kept.pow(3))
        return convert_like(grad.mul_(kept).addcmul_(x, along, value=-1 / x.shape[-1]), x)


class ModuleNorm(Norm):
    """An architecture's own module, with its own roundings."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, and nothing."""
        return self.recompute(x, x), x.new_empty(0)

    def recompute(self, x: Tensor, kept: Tensor) -> Tensor:  # noqa: ARG002
        """Return the output again."""
        out: Tensor = self._module(x)
        return out

    def backward(self, grad_out: Tensor, x: Tensor, kept: Tensor) -> Tensor:  # noqa: ARG002
        """Return the input's gradient."""
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            out = self._module(leaf)
        (grad,) = torch.autograd.grad(out, leaf, grad_out)
        return grad


def choose_norm(module: nn.Module, dtype: torch.dtype) -> Norm:
    """Return `RmsNorm` where it is what the module computes, tried with numbers; else the module.

    In fp64 the module itself: architectures compute their norms in fp32 whatever the dtype, and
    fp64 is for comparing with them.
    """
    weight = getattr(module, "weight", None)
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    if dtype == torch.float64 or not isinstance(weight, Tensor) or not isinstance(eps, float):
        return ModuleNorm(module)
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(4, weight.shape[0], generator=generator).to(weight)
    expected = module(probe).float()
    tolerance = _PROBE_ROUNDINGS * torch.finfo(weight.dtype).eps
    for scale in (weight, 1.0 + weight.float()):
        norm = RmsNorm(scale.to(_at_least_fp32(weight)), eps)
        found, _ = norm.forward(probe.float())
        if torch.allclose(found, expected, rtol=tolerance, atol=tolerance):
            return norm
    return ModuleNorm(module)


def _at_least_fp32(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
