"""Losses as functions of log-probabilities, and as ops of several adapters in one batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.engine.conftest import example
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.losses.row_losses import RowLosses, compute_row_losses
from twinkle_jupyter.engine.micro_batch import BatchRow, build_micro_batch
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
)

A, B = AdapterId("a"), AdapterId("b")
NAN, INF = math.nan, math.inf


def _row(
    advantages: Sequence[float], sampled: Sequence[float], weights: Sequence[float] = ()
) -> Example:
    length = len(advantages or sampled)
    return Example(
        tokens=(1,) * length,
        targets=(1,) * length,
        weights=tuple(weights) or (1.0,) * length,
        advantages=tuple(advantages),
        sampled_logprobs=tuple(sampled),
    )


def _op(loss: str, *examples: Example, **settings: float) -> ForwardBackward:
    return ForwardBackward(A, 1, examples, loss=loss, loss_settings=settings)


def _compute(
    logprobs: Sequence[float], *ops: ForwardBackward, swaps_rows: bool = False
) -> tuple[RowLosses, Tensor]:
    """Return losses, metrics and the gradient of the log-probabilities of the supervised places."""
    rows = [
        BatchRow(row, op_index, index)
        for op_index, op in enumerate(ops)
        for index, row in enumerate(op.examples)
    ]
    rows = rows[::-1] if swaps_rows else rows
    batch = build_micro_batch(rows, torch.float64, torch.device("cpu"), is_packed=True)
    leaf = torch.tensor(logprobs, dtype=torch.float64, requires_grad=True)
    answer = compute_row_losses(batch, leaf, ops)
    [gradient] = torch.autograd.grad(answer.losses.sum(), leaf)
    return answer, gradient


def _means(answer: RowLosses) -> Mapping[str, float]:
    sums = {name: pair.sum(dim=1).tolist() for name, pair in answer.metrics.items()}
    return {name: total / count for name, (total, count) in sums.items()}


def test_ppo_learns_nothing_from_a_ratio_that_went_too_far_the_right_way() -> None:
    # Ratios 2, 2, 1/2, 1/2 and 1 with advantages of both signs.
    ratios = (2.0, 2.0, 0.5, 0.5, 1.0)
    row = _row((1.0, -1.0, 1.0, -1.0, 3.0), (-1.0,) * 5)
    answer, gradient = _compute([math.log(r) - 1 for r in ratios], _op("ppo", row))
    assert answer.losses.tolist() == pytest.approx([-(1.2 - 2.0 + 0.5 - 0.8 + 3.0)])
    assert gradient.tolist() == pytest.approx([0.0, 2.0, -0.5, 0.0, -3.0])
    assert _means(answer) == pytest.approx(
        {
            "clip_fraction": 2 / 5,
            "ratio_mean": 6 / 5,
            "kl_sample": 0.0,
        }
    )


def test_ppo_survives_a_ratio_that_overflows_where_it_is_clipped() -> None:
    answer, gradient = _compute([-1.0], _op("ppo", _row((2.0,), (-2000.0,))))
    assert (answer.losses.tolist(), gradient.tolist()) == ([-2.4], [0.0])


def test_cispo_learns_from_a_clipped_token_too() -> None:
    row = _row((2.0, 2.0), (-3.0, -1.0))
    logprobs = [-1.0, -1.0]
    answer, gradient = _compute(logprobs, _op("cispo", row))  # e^2 is above the default of 4
    assert answer.losses.tolist() == pytest.approx([4 * 2 + 2])
    assert gradient.tolist() == pytest.approx([-8.0, -2.0])
    answer, gradient = _compute(logprobs, _op("cispo", row, clip_high_threshold=10.0))
    assert gradient.tolist() == pytest.approx([-2 * math.exp(2), -2.0])
    assert _means(answer)["clip_fraction"] == 0.0


def test_importance_sampling_and_dro_are_their_formulas() -> None:
    row = _row((2.0, -1.0), (-1.5, -1.0), weights=(0.5, -2.0))
    logprobs = [-1.0, -2.0]
    answer, gradient = _compute(logprobs, _op("importance_sampling", row))
    terms = [0.5 * math.exp(0.5) * 2.0, -2.0 * math.exp(-1.0) * -1.0]
    assert answer.losses.tolist() == pytest.approx([-sum(terms)])
    assert gradient.tolist() == pytest.approx([-term for term in terms])
    assert _means(answer) == pytest.approx(
        {"ratio_mean": (math.exp(0.5) + math.exp(-1)) / 2, "kl_sample": (-0.5 + 1.0) / 2}
    )
    answer, gradient = _compute(logprobs, _op("dro", row, beta=0.1))
    terms = [0.5 * (-2.0 - 0.05 * 0.25), -2.0 * (2.0 - 0.05 * 1.0)]
    assert answer.losses.tolist() == pytest.approx([-sum(terms)])
    slopes = [0.5 * (2.0 - 0.1 * 0.5), -2.0 * (-1.0 - 0.1 * -1.0)]
    assert gradient.tolist() == pytest.approx([-slope for slope in slopes])


@pytest.mark.parametrize("swaps_rows", [False, True])
def test_dpo_compares_neighbours_wherever_they_lie_in_the_batch(swaps_rows: bool) -> None:
    pairs = [_row((), (-1.0, -1.0)), _row((), (-2.0,)), _row((), (-1.0,)), _row((), (-1.0,))]
    by_row = [[-0.5, -0.75], [-2.5], [-2.0], [-1.0]]
    order = by_row[::-1] if swaps_rows else by_row
    logprobs = [value for row in order for value in row]
    op = _op("dpo", *pairs, beta=0.5, label_smoothing=0.1)
    answer, gradient = _compute(logprobs, op, swaps_rows=swaps_rows)
    losses = answer.losses.tolist()
    margins = [0.5 * (0.75 + 0.5), 0.5 * (-1.0 - 0.0)]

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    costs = [-0.9 * math.log(sigmoid(m)) - 0.1 * math.log(sigmoid(-m)) for m in margins]
    expected = [costs[0], 0.0, costs[1], 0.0]
    assert losses == pytest.approx(expected[::-1] if swaps_rows else expected)
    slopes = [0.5 * (-0.9 * sigmoid(-m) + 0.1 * sigmoid(m)) for m in margins]
    by_place = [slopes[0], slopes[0], -slopes[0], slopes[1], -slopes[1]]
    # Both places of the first row have one slope, so that the mirrored order is the mirrored list.
    assert gradient.tolist() == pytest.approx(by_place[::-1] if swaps_rows else by_place)
    assert _means(answer) == pytest.approx(
        {
            "accuracy": 0.5,
            "reward_margin": sum(margins) / 2,
            "chosen_reward": (0.375 - 0.5) / 2,
            "rejected_reward": (-0.25 + 0.0) / 2,
        }
    )


def test_one_loss_with_two_settings_in_one_batch_is_each_alone() -> None:
    row = _row((1.0, -1.0), (-1.0, -1.0))
    tight, loose = (_op("ppo", row, clip_high_threshold=high) for high in (1.05, 3.0))
    likelihood = _op("cross_entropy", example(1, 2, 3))
    logprobs = [-0.5, -0.75]
    alone = [_compute(logprobs, op) for op in (tight, likelihood, loose)]
    together, gradient = _compute(logprobs * 3, tight, likelihood, loose)
    assert torch.equal(together.losses, torch.cat([answer.losses for answer, _ in alone]))
    assert torch.equal(gradient, torch.cat([own for _, own in alone]))
    assert not torch.equal(alone[0][1], alone[2][1])
    for name, pair in together.metrics.items():
        assert pair[:, 1].tolist() == [0.0, 0.0], "cross_entropy has none"
        assert torch.equal(pair[:, 0], alone[0][0].metrics[name][:, 0])


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo", "cispo", "dro", "cross_entropy"])
def test_a_nan_stays_in_its_own_row(loss: str) -> None:
    row = _row((1.0,), (-1.0,))
    settings = {"beta": 0.1} if loss == "dro" else {}
    ops = (_op("ppo", row), _op(loss, row, **settings), _op("cross_entropy", row))
    answer, gradient = _compute([-1.0, NAN, -2.0], *ops)
    assert answer.losses[[0, 2]].tolist() == [-1.0, 2.0]
    assert math.isnan(answer.losses.tolist()[1])
    assert gradient[[0, 2]].tolist() == [-1.0, -1.0]


def test_a_place_without_weight_is_in_no_sum() -> None:
    row = _row((NAN, 1.0), (NAN, -1.0), weights=(0.0, 1.0))
    answer, _ = _compute([-1.0], _op("ppo", row))
    assert answer.losses.tolist() == [-1.0]
    assert _means(answer)["ratio_mean"] == 1.0


def _open_engine(tiny_model: Path, token_budget: int = 8192) -> StepEngine:
    base = load_base_model(tiny_model, "float64")
    engine = StepEngine(base, base_model_name="tiny", token_budget=token_budget)
    for key in (A, B):
        engine.create_adapter(key, AdapterSpec(rank=2, alpha=4.0))
    return engine


def _run(engine: StepEngine, op: ForwardBackward) -> ForwardBackwardResult:
    [result] = engine.forward_backward([op])
    assert isinstance(result, ForwardBackwardResult), result
    return result


@pytest.mark.parametrize("loss", ["ppo", "dpo"])
def test_metrics_and_pairs_do_not_depend_on_the_budget(tiny_model: Path, loss: str) -> None:
    rows = [
        replace(
            example(*range(5, 6 + length)),
            advantages=tuple((-1.0) ** place for place in range(length)),
            sampled_logprobs=(-5.0 - length / 10,) * length,
        )
        for length in (9, 2, 3, 8, 1, 7)
    ]
    op = _op(loss, *rows)
    whole, parts = (_run(_open_engine(tiny_model, budget), op) for budget in (8192, 10))
    assert parts.loss_sum == pytest.approx(whole.loss_sum, abs=1e-10)
    assert parts.metrics == pytest.approx(whole.metrics, abs=1e-10)
    names = {
        "ppo": {"clip_fraction", "kl_sample", "ratio_mean"},
        "dpo": {"accuracy", "reward_margin", "chosen_reward", "rejected_reward"},
    }
    assert whole.metrics.keys() == names[loss]


GOOD = _row((1.0, 1.0), (-1.0, -1.0))


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (_op("dro", GOOD), "^loss='dro' needs beta"),
        (_op("dro", GOOD, beta=NAN), "^beta=nan is not at least 0"),
        (_op("dpo", GOOD, GOOD, beta=0.0), "^beta=0 is not above 0"),
        (
            _op("dpo", GOOD, GOOD, label_smoothing=0.7),
            "^label_smoothing=0.7 is not at least 0 and at most 0.5",
        ),
        (
            _op("ppo", GOOD, clip_low_threshold=1.3),
            "^clip_low_threshold=1.3 is above clip_high_threshold=1.2",
        ),
        (
            _op("ppo", GOOD, clip_low_threshold=-1.0, clip_high_threshold=INF),
            "^clip_low_threshold=-1 is not at least 0; clip_high_threshold=inf is not at least 0",
        ),
        (
            _op("cross_entropy", GOOD, beta=1.0),
            r"^beta is not a setting of loss='cross_entropy' \(none\)",
        ),
    ],
)
def test_a_setting_that_a_loss_cannot_take_is_named(
    tiny_model: Path, op: ForwardBackward, message: str
) -> None:
    _expect_refusal(_open_engine(tiny_model), op, InvalidConfigError, message)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (
            _op("ppo", GOOD, replace(GOOD, advantages=())),
            "^Example 2 has no advantages, which loss='ppo' needs",
        ),
        (
            _op("cispo", replace(GOOD, sampled_logprobs=())),
            "^Example 1 has no sampled_logprobs, which loss='cispo' needs",
        ),
        (
            _op("dro", GOOD, replace(GOOD, advantages=(0.0, -INF)), beta=0.1),
            r"^Example 2 has advantages\[1\]=-inf, which is not a finite number",
        ),
        (
            _op("importance_sampling", replace(GOOD, sampled_logprobs=(NAN, -1.0))),
            r"^Example 1 has sampled_logprobs\[0\]=nan, which is not a finite number",
        ),
        (_op("dpo", *[GOOD] * 3), "^loss='dpo' takes examples in pairs, and there are 3"),
        (
            _op("dpo", GOOD, replace(GOOD, weights=(0.0, 0.0))),
            "^Example 2 has no token with a weight",
        ),
    ],
)
def test_an_example_that_lacks_what_its_loss_needs_is_named(
    tiny_model: Path, op: ForwardBackward, message: str
) -> None:
    _expect_refusal(_open_engine(tiny_model), op, InvalidDataError, message)


def _expect_refusal(
    engine: StepEngine, op: ForwardBackward, error: type[TwinkleError], message: str
) -> None:
    good = ForwardBackward(B, 1, (GOOD,))
    outcome, other = engine.forward_backward([op, good])
    assert isinstance(other, ForwardBackwardResult), "another's op is computed all the same"
    with pytest.raises(error, match=message):
        raise outcome if isinstance(outcome, TwinkleError) else AssertionError(outcome)
    assert not engine.bank.get(A).gradient.any()
