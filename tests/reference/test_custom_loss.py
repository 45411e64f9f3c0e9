"""A loss of the user's own, through returned log-probabilities, has its exact gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from tests.reference.plain_peft import (
    PEFT_WARNINGS,
    Trainee,
    load_plain_model,
    open_with_peft,
    row_logprobs,
    single_thread,
)
from tests.reference.side_by_side import (
    draw_batches,
    named,
    open_engine,
    save,
    train_together,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import AdapterSpec, ForwardBackward, ForwardBackwardResult

pytestmark = PEFT_WARNINGS


def _contrast(rows: Sequence[Tensor]) -> Tensor:
    """Mix places and rows so that no sum over rows could be this: (T,) each."""
    first, second = rows
    likelihoods = torch.stack([first.mean(), second.mean()])
    spread = (first.exp().sum() - second.exp().sum()).square()
    return (
        torch.logsumexp(3 * likelihoods, dim=0) * first[0] + spread + second.square().mean().sqrt()
    )


def test_cross_entropy_with_the_slopes_of_a_loss_is_that_loss(
    base_folder: Path, tmp_path: Path
) -> None:
    key, partner = AdapterId("custom"), AdapterId("partner")
    company = {
        key: Trainee(AdapterSpec(4, 8.0, seed=1)),
        partner: Trainee(AdapterSpec(9, 8.0, seed=2), loss="ppo"),
    }
    batches = draw_batches(base_folder, company, num_steps=2)
    with single_thread():
        engine = open_engine(base_folder, "float64", company)
        # One step, because A has no gradient while B is zero.
        train_together(engine, company, {name: own[:1] for name, own in batches.items()})
        peft_model, trained = open_with_peft(
            load_plain_model(base_folder, "float64"), save(engine, key, tmp_path / "adapter")
        )
        examples = [replace(row, weights=(1.0,) * row.num_tokens) for row in batches[key][1]]
        look = ForwardBackward(key, 3, tuple(examples), forward_only=True)
        [seen] = engine.forward_backward([look])
        assert isinstance(seen, ForwardBackwardResult)
        leaves = [
            torch.tensor(row, dtype=torch.float64, requires_grad=True) for row in seen.logprobs
        ]
        slopes = torch.autograd.grad(_contrast(leaves), leaves)
        weighed = tuple(
            replace(row, weights=tuple((-slope).tolist()))
            for row, slope in zip(examples, slopes, strict=True)
        )
        others = ForwardBackward(partner, 3, tuple(batches[partner][1]), loss="ppo")
        engine.forward_backward([others, ForwardBackward(key, 4, weighed)])
        ours = named(engine, key, engine.bank.get(key).gradient)

        loss = _contrast([row_logprobs(peft_model, example) for example in examples])
        loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in trained.items():
        assert parameter.grad is not None
        assert float((ours[name] - parameter.grad).abs().max()) <= 1e-10, name
    assert max(float(gradient.abs().max()) for gradient in ours.values()) > 1e-2
