"""How both halves of a decoder layer begin and end: normed linears in, a residual linear out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.engine.batch_adapters import BatchAdapters, Mids
from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.layer_batch import LayerAdapters
from twinkle_jupyter.engine.norms import Norm


@dataclass(frozen=True, slots=True, eq=False)
class KeptInner:
    """Of `NormedLinears`; the normalised input is computed again."""

    norm: Tensor
    mids: Mids


@dataclass(frozen=True, slots=True, eq=False)
class NormedLinears:
    """Linear layers that read one normalised input, each with its adapters."""

    norm: Norm
    #: Each by itself; or one that gives all outputs, one after the other.
    linears: tuple[FrozenLinear, ...]
    #: Number of the group of linear layers, as `BatchAdapters` counts them.
    group: int

    def forward(self, x: Tensor, adapters: LayerAdapters) -> tuple[list[Tensor], KeptInner]:
        """Map (T, D) to (T, O) for each linear."""
        normed, norm = self.norm.forward(x)
        outs = [linear.forward(normed) for linear in self.linears]
        mids = adapters.project(self.group, normed)
        adapters.add_deltas(self.group, mids, outs)
        return outs, KeptInner(norm, mids)

    def backward(
        self,
        grads: Sequence[Tensor],
        x: Tensor,
        kept: KeptInner,
        adapters: BatchAdapters,
        *,
        needs_x: bool,
    ) -> Tensor | None:
        """Add to the adapters' gradients; return (T, D) of the input if it is needed.

        Args:
            grads: (T, O) for each output, whether one linear gives it or all.
            x: What `forward` was called with.
            kept: What it kept.
            adapters: Of the batch.
            needs_x: Whether somebody waits for the input's gradient.
        """
        if len(self.linears) == 1:
            grads = [torch.cat(list(grads), dim=1)]
        normed = self.norm.recompute(x, kept.norm)
        grad_normed = None
        if needs_x:
            grad_normed = self.linears[0].backward(grads[0])
            for linear, grad in zip(self.linears[1:], grads[1:], strict=True):
                linear.add_backward(grad, grad_normed)
        adapters.add_gradients(self.group, normed, kept.mids, grads, grad_normed)
        return None if grad_normed is None else self.norm.backward(grad_normed, x, kept.norm)


@dataclass(frozen=True, slots=True, eq=False)
class KeptOut:
    """Of `ResidualLinear`."""

    mids: Mids
    #: (T, D) in front of the norm, and what the norm keeps; None where there is no norm.
    normed: tuple[Tensor, Tensor] | None


@dataclass(frozen=True, slots=True, eq=False)
class ResidualLinear:
    """A linear layer with its adapters whose output is added to the residual stream."""

    linear: FrozenLinear
    group: int
    #: Between the two, where the architecture has a norm there.
    norm: Norm | None

    def forward(
        self, hidden: Tensor, residual: Tensor, adapters: LayerAdapters
    ) -> tuple[Tensor, KeptOut]:
        """Map (T, I) to (T, D) and add `residual`, (T, D)."""
        out = self.linear.forward(hidden)
        mids = adapters.project(self.group, hidden)
        adapters.add_deltas(self.group, mids, [out])
        normed = None
        if self.norm is not None:
            raw = out
            out, norm = self.norm.forward(raw)
            normed = (raw, norm)
        return out.add_(residual), KeptOut(mids, normed)

    def backward(
        self, grad_out: Tensor, hidden: Tensor, kept: KeptOut, adapters: BatchAdapters
    ) -> Tensor:
        """Add to the adapters' gradients; return (T, I) of `hidden`."""
        grad = grad_out
        if self.norm is not None and kept.normed is not None:
            # A copy: the residual's gradient is the same tensor.
            grad = self.norm.backward(grad_out.clone(), *kept.normed)
        grad_hidden = self.linear.backward(grad)
        adapters.add_gradients(self.group, hidden, kept.mids, [grad], grad_hidden)
        return grad_hidden
