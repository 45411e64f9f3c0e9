"""A decoder layer that was taken over: its two halves, and how they are run with gradients."""

from __future__ import annotations

from typing import Protocol, TypeAlias, TypeVar

from torch import Tensor
from torch.autograd.function import Function, FunctionCtx
from typing_extensions import override

from twinkle_jupyter.engine.attention_half import AttentionHalf
from twinkle_jupyter.engine.gated_mlp import GatedMlp
from twinkle_jupyter.engine.layer_batch import LayerBatch, TrainedLayerBatch

Halves: TypeAlias = tuple[AttentionHalf, GatedMlp]
#: (T, 1, F) cosine and sine of each token's angles.
Angles: TypeAlias = tuple[Tensor, Tensor]

Kept = TypeVar("Kept")


class _Half(Protocol[Kept]):
    def forward(
        self, x: Tensor, batch: LayerBatch, *, keeps: bool
    ) -> tuple[Tensor, Kept | None]: ...

    def backward(
        self, grad_out: Tensor, x: Tensor, kept: Kept, batch: TrainedLayerBatch, *, needs_x: bool
    ) -> Tensor | None: ...


def train_halves(
    halves: Halves, x: Tensor, batch: TrainedLayerBatch, anchor: Tensor, *, checkpoints: bool
) -> Tensor:
    """Map (T, D) to (T, D), one node of autograd a half.

    Args:
        halves: Of the layer.
        x: (T, D)
        batch: What the layer sees.
        anchor: Needs a gradient, so that a node is made though no tensor of it does.
        checkpoints: Keep inputs only, and compute the rest again in the backward pass.
    """
    for half in halves:
        x = _RunHalf.apply(x, anchor, half, batch, checkpoints)  # type: ignore[no-untyped-call]
    return x


class _RunHalf(Function):
    @staticmethod
    @override
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        anchor: Tensor,
        half: _Half[object],
        batch: TrainedLayerBatch,
        checkpoints: bool,
    ) -> Tensor:
        is_recorded = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        out, kept = half.forward(x, batch, keeps=is_recorded and not checkpoints)
        if is_recorded:
            ctx.kept = (x, kept, half, batch)  # type: ignore[attr-defined]
        return out

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        run: tuple[Tensor, object, _Half[object], TrainedLayerBatch]
        run = ctx.kept  # type: ignore[attr-defined]
        # Freed here, not when autograd lets go of the whole graph.
        ctx.kept = None  # type: ignore[attr-defined]
        x, kept, half, batch = run
        if kept is None:
            _, kept = half.forward(x, batch, keeps=True)
        needs_x: bool = ctx.needs_input_grad[0]  # type: ignore[attr-defined]
        grad_x = half.backward(grad.contiguous(), x, kept, batch, needs_x=needs_x)
        return grad_x, None, None, None, None
