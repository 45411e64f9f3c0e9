"""Log-probabilities in chunks are the plain ones, and so is their gradient."""

from __future__ import annotations

import pytest
import torch

from twinkle_jupyter.engine import supervised_head
from twinkle_jupyter.engine.supervised_head import SupervisedHead


@pytest.mark.parametrize("soft_cap", [None, 3.0])
@pytest.mark.parametrize("has_bias", [True, False])
def test_chunks_give_the_plain_log_probabilities(
    monkeypatch: pytest.MonkeyPatch, soft_cap: float | None, has_bias: bool
) -> None:
    # Two rows a chunk, and one in the last.
    monkeypatch.setattr(supervised_head, "_CHUNK_BYTES", 2 * 11 * 8)
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    hidden, weight, grad = draw(5, 6), draw(11, 6), draw(5)
    bias = draw(11) if has_bias else None
    targets = torch.tensor([0, 10, 3, 3, 7])
    leaf = hidden.clone().requires_grad_()
    logits = torch.nn.functional.linear(leaf, weight, bias)
    if soft_cap is not None:
        logits = soft_cap * torch.tanh(logits / soft_cap)
    expected = torch.log_softmax(logits, dim=1).gather(1, targets[:, None])[:, 0]
    (expected_grad,) = torch.autograd.grad(expected, leaf, grad)

    head = SupervisedHead(weight, bias, soft_cap)
    ours = hidden.clone().requires_grad_()
    logprobs = head.compute_logprobs(ours, targets)
    (our_grad,) = torch.autograd.grad(logprobs, ours, grad)
    torch.testing.assert_close(logprobs.detach(), expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(our_grad, expected_grad, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(head.compute_logits(hidden), logits.detach())


def test_a_target_far_below_the_others_has_a_finite_log_probability() -> None:
    head = SupervisedHead(torch.tensor([[1.0], [-1.0]]), None, None)
    logprobs = head.compute_logprobs(torch.tensor([[500.0]]), torch.tensor([1]))
    assert float(logprobs) == -1000.0
