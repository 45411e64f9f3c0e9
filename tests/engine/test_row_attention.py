"""Attention over packed rows is attention over each row alone, and so are its gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from twinkle_jupyter.engine.row_attention import AttentionShape, RowAttention
from twinkle_jupyter.engine.row_places import RowPlaces, place_rows

SHAPE = AttentionShape(
    num_heads=4, num_kv_heads=2, head_dim=3, scale=0.4, window=None, soft_cap=None
)
ROWS = [(1, 2, 3, 4, 5, 6), (1, 2, 3, 9), (1, 2, 3, 4), (8,), (7, 7, 7, 7, 7)]
OWNERS = [0, 0, 0, 1, 1]


def _attend_naively(
    q: Tensor, k: Tensor, v: Tensor, row: RowPlaces, shape: AttentionShape
) -> Tensor:
    """Return (n, H x E) of one row, by the definition."""
    places = torch.tensor(row.places)
    own_q = q[places].view(row.length, shape.num_heads, shape.head_dim)
    repeats = shape.num_heads // shape.num_kv_heads
    own_k, own_v = (
        part[places]
        .view(row.length, shape.num_kv_heads, shape.head_dim)
        .repeat_interleave(repeats, dim=1)
        for part in (k, v)
    )
    scores = torch.einsum("ihe,jhe->hij", own_q, own_k) * shape.scale
    if shape.soft_cap is not None:
        scores = shape.soft_cap * torch.tanh(scores / shape.soft_cap)
    behind = torch.arange(row.length)[:, None] - torch.arange(row.length)[None, :]
    is_seen = (behind >= 0) & (behind < (shape.window or row.length))
    weights = scores.masked_fill(~is_seen, -torch.inf).softmax(dim=-1)
    return torch.einsum("hij,jhe->ihe", weights, own_v).flatten(1)


@pytest.mark.parametrize("may_share", [True, False])
@pytest.mark.parametrize(
    "shape",
    [SHAPE, replace(SHAPE, window=3), replace(SHAPE, soft_cap=2.0), replace(SHAPE, num_kv_heads=4)],
    ids=["causal", "window", "soft cap", "no groups"],
)
def test_packed_rows_attend_each_alone(shape: AttentionShape, may_share: bool) -> None:
    rows = place_rows(ROWS, OWNERS, may_share=may_share)
    num_tokens = 1 + max(row.places[-1] for row in rows)
    assert num_tokens == (13 if may_share else 20)
    generator = torch.Generator().manual_seed(0)

    def draw(heads: int) -> Tensor:
        size = (num_tokens, heads * shape.head_dim)
        return torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True)

    q, k, v = draw(shape.num_heads), draw(shape.num_kv_heads), draw(shape.num_kv_heads)
    expected = torch.zeros_like(q)
    for row in rows:
        own = torch.tensor(row.places[row.num_shared :], dtype=torch.long)
        answer = _attend_naively(q, k, v, row, shape)[row.num_shared :]
        expected = expected.index_put((own,), answer)
    grad_out = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    expected_grads = torch.autograd.grad(expected, (q, k, v), grad_out)

    attention = RowAttention(rows, torch.device("cpu"))
    q, k, v = q.detach(), k.detach(), v.detach()
    out, kept = attention.forward(q, k, v, shape, keeps=True)
    grads = attention.backward(grad_out, kept, shape)
    without, _ = attention.forward(q, k, v, shape, keeps=False)
    # A soft cap's weights are computed in fp32.
    bound = 1e-6 if shape.soft_cap is not None else 1e-12
    for ours, theirs in zip(
        (out, without, *grads), (expected, expected, *expected_grads), strict=True
    ):
        torch.testing.assert_close(ours, theirs.detach(), rtol=bound, atol=bound)
