"""What multiplies rows by frozen weights where no gradient is wanted: torch's own, or oneDNN's.

On a processor torch leaves fp32 to MKL, which on AMD's reads weights for a single row with one
thread, and takes 1.1 to 1.8 times as long as oneDNN for more (docs/experiments.md). oneDNN reads
the same memory: nothing is packed or copied.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn

from twinkle_jupyter.engine.compute_dtype import choose_compute_dtype

#: Maps (T, I) with a weight (O, I) and a bias (O,) to (T, O).
LinearKernel: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]

#: Good for any number of rows from one to hundreds.
_PACKED_FOR_ROWS = 16
_CPU_INFO = Path("/proc/cpuinfo")
#: How AMD's processors, and those built after them, call themselves.
_AMD = ("AuthenticAMD", "HygonGenuine")


def choose_kernel(dtype: torch.dtype, device: torch.device) -> LinearKernel:
    """Return what multiplies by weights of `dtype` fastest on this machine."""
    if dtype != torch.float32 or device.type != "cpu" or not _is_amd():
        # In bf16 torch takes oneDNN by itself.
        return F.linear
    return multiply_by_onednn if hasattr(torch.ops.mkldnn, "_linear_pointwise") else F.linear


def multiply_by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Map (T, I) to (T, O) on a processor, without gradients."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # noqa: SLF001
    return out


def pack_for_onednn(weight: Tensor) -> Tensor | None:
    """Return (O, I) in the order in which oneDNN reads it; None where it has no other order.

    Only `multiply_by_onednn` knows what to do with it.
    """
    has_units = choose_compute_dtype(weight.dtype, weight.device) == torch.bfloat16
    is_known = hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    if weight.device.type != "cpu" or not has_units or not is_known:
        return None
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _PACKED_FOR_ROWS)  # noqa: SLF001
    return packed


class FrozenHead(nn.Module):
    """An output head that multiplies with a kernel of choice.

    Args:
        head: Whose weights it uses.
        kernel: What to multiply with.
    """

    def __init__(self, head: nn.Linear, kernel: LinearKernel) -> None:
        super().__init__()
        self.weight = head.weight
        self.bias = head.bias
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D) to (..., V)."""
        out = self.kernel(x.reshape(-1, x.shape[-1]), self.weight, self.bias)
        return out.view(*x.shape[:-1], out.shape[-1])


@cache
def _is_amd() -> bool:
    try:
        said = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        said = platform.processor()
    return any(name in said for name in _AMD)
