"""Log-probabilities of targets, without ever holding the logits of all positions.

The gradient of position i's log-probability for its hidden state h_i is W[target_i] less the mean
of W's rows under the softmax. It does not depend on the loss, so that the forward pass computes it,
chunk by chunk while the logits are at hand, and the backward pass only scales it: no logits are
kept and none are computed twice (docs/explanation/multi-adapter-mathematics.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor
from torch.autograd.function import FunctionCtx
from typing_extensions import override

#: Bytes of one chunk's logits: it is passed over several times and should stay in the cache.
_CHUNK_BYTES = 48 * 2**20


class SupervisedHead:
    """A frozen output head.

    Args:
        weight: (V, D)
        bias: (V,)
        soft_cap: Logits are squeezed into plus or minus this; None leaves them.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, soft_cap: float | None) -> None:
        self._weight = weight
        self._bias = bias
        self._soft_cap = soft_cap

    def compute_logprobs(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return (N,) log-probabilities of `targets`, (N,), given `hidden`, (N, D); fp32 or more.

        Differentiable with respect to `hidden`.
        """
        logprobs: Tensor = _LogProbabilities.apply(hidden, targets, self)  # type: ignore[no-untyped-call]
        return logprobs

    def compute_logits(self, hidden: Tensor) -> Tensor:
        """Return (N, V)."""
        return self._squeeze(self._apply(hidden))

    def forward(self, hidden: Tensor, targets: Tensor, *, keeps: bool) -> tuple[Tensor, Tensor]:
        """Return (N,) log-probabilities and, if it `keeps`, their (N, D) gradients."""
        dtype = torch.promote_types(hidden.dtype, torch.float32)
        logprobs = torch.empty(len(targets), dtype=dtype, device=hidden.device)
        gradients = torch.empty_like(hidden) if keeps else hidden.new_empty(0)
        size = max(1, _CHUNK_BYTES // (self._weight.shape[0] * dtype.itemsize))
        weight = self._weight.to(hidden.dtype)
        for start in range(0, len(targets), size):
            part = slice(start, start + size)
            # (n, V); overwritten from here on.
            logits = self._squeeze(self._apply(hidden[part], weight)).to(dtype)
            own = targets[part, None]
            chosen = logits.gather(1, own)
            slopes = self._slopes(logits) if keeps else None
            largest = logits.amax(dim=1, keepdim=True)
            exponentials = logits.sub_(largest).exp_()
            total = exponentials.sum(dim=1, keepdim=True)
            logprobs[part] = (chosen - largest - total.log())[:, 0]
            if keeps:
                # The target's own entry makes the row onehot - softmax.
                pull = exponentials.div_(total.neg_())
                pull.scatter_add_(1, own, torch.ones_like(chosen))
                if slopes is not None:
                    pull.mul_(slopes)
                gradients[part] = pull.to(hidden.dtype) @ weight
        return logprobs, gradients

    def _apply(self, hidden: Tensor, weight: Tensor | None = None) -> Tensor:
        weight = self._weight.to(hidden.dtype) if weight is None else weight
        bias = None if self._bias is None else self._bias.to(hidden.dtype)
        return F.linear(hidden, weight, bias)

    def _squeeze(self, logits: Tensor) -> Tensor:
        if self._soft_cap is None:
            return logits
        return logits.div_(self._soft_cap).tanh_().mul_(self._soft_cap)

    def _slopes(self, squeezed: Tensor) -> Tensor | None:
        """Derivative of `_squeeze` where it gave `squeezed`."""
        if self._soft_cap is None:
            return None
        return (squeezed / self._soft_cap).square_().neg_().add_(1.0)


class _LogProbabilities(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: FunctionCtx, hidden: Tensor, targets: Tensor, head: SupervisedHead) -> Tensor:
        keeps = ctx.needs_input_grad[0]  # type: ignore[attr-defined]
        logprobs, gradients = head.forward(hidden, targets, keeps=keeps)
        ctx.save_for_backward(gradients)
        return logprobs

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradients,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients * grad[:, None].to(gradients.dtype), None, None
