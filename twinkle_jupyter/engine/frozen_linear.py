"""A frozen linear layer as two matmuls: there, and back to its input. Never to its weight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from twinkle_jupyter.engine.compute_dtype import convert_like
from twinkle_jupyter.engine.linear_kernel import (
    LinearKernel,
    multiply_by_onednn,
    pack_for_onednn,
)


@dataclass(slots=True, eq=False)
class FrozenLinear:
    """Computes in the input's dtype; a weight of another one is converted at each use.

    That costs a pass over the weight and keeps it small, mapped from its file, and shared.
    """

    #: (O, I)
    weight: Tensor
    #: (O,)
    bias: Tensor | None
    #: What `forward` multiplies with.
    kernel: LinearKernel = F.linear

    def forward(self, x: Tensor) -> Tensor:
        """Map (T, I) to (T, O)."""
        bias = None if self.bias is None else convert_like(self.bias, x)
        return self.kernel(x, convert_like(self.weight, x), bias)

    def pack(self) -> Tensor | None:
        """Hold the weight in the order that is fastest to read; return it, or None if it stays.

        It goes forward only from then on.
        """
        packed = pack_for_onednn(self.weight)
        if packed is not None:
            self.weight, self.kernel = packed, multiply_by_onednn
        return packed

    def backward(self, grad_out: Tensor) -> Tensor:
        """Map (T, O) to the input's gradient, (T, I)."""
        return torch.mm(grad_out, convert_like(self.weight, grad_out))

    def add_backward(self, grad_out: Tensor, grad_x: Tensor) -> None:
        """Add the same to `grad_x`, in place."""
        grad_x.addmm_(grad_out, convert_like(self.weight, grad_out))
