"""In which number type a base model computes on this machine."""

from __future__ import annotations

import torch
from torch import Tensor

#: Names of processor features that multiply matrices in bf16: Intel's and AMD's, then ARM's.
_BF16_UNITS = ("amx_bf16", "avx512_bf16", "bf16")


def choose_compute_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return what to compute in with weights of `dtype`.

    That is `dtype` itself, but for bf16 on a processor without units for it: there a matmul in bf16
    takes four to five times as long as one in fp32 over weights that are converted first, and is
    less exact (docs/experiments.md).
    """
    if dtype != torch.bfloat16 or device.type != "cpu":
        return dtype
    capabilities = torch.cpu.get_capabilities()
    has_units = any(capabilities.get(name, False) for name in _BF16_UNITS)
    return torch.bfloat16 if has_units else torch.float32


def convert_like(tensor: Tensor, other: Tensor) -> Tensor:
    """Return `tensor` in the number type of `other`.

    Even a conversion to the same type costs a call, and a step makes thousands.
    """
    return tensor if tensor.dtype == other.dtype else tensor.to(other.dtype)
