"""Runs with the loss dpo over the true engine: from rows with two answers to an adapter."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.records import PAIRS
from tests.runs.conftest import Workshop
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import InvalidDataError, OutOfMemoryError, ServiceUnavailableError
from twinkle_jupyter.ids import RunId
from twinkle_jupyter.runs.batches import Batches
from twinkle_jupyter.runs.memory_plan import plan_memory
from twinkle_jupyter.runs.references import REFERENCE_FILE
from twinkle_jupyter.runtime.handles import TrainerHandle
from twinkle_jupyter.scheduling.request import ForwardBackward, ForwardBackwardResult
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import Record

DPO: dict[str, Any] = {"loss": "dpo", "batch_size": 3, "learning_rate": 0.01, "warmup_steps": 0}


async def add_run(workshop: Workshop, rows: Sequence[object] = PAIRS, **settings: object) -> RunId:
    run_id = await workshop.add_run(**{**DPO, **settings})
    records = workshop.artifacts / "runs" / run_id / "records.jsonl"
    records.write_text("\n".join(json.dumps(row) for row in rows))
    return run_id


async def test_a_run_learns_to_prefer_and_tells_how_far_it_is(workshop: Workshop) -> None:
    run_id = await add_run(workshop, steps=30, eval_fraction=0.25, eval_every=10)

    await workshop.driver(run_id).drive()

    row = await workshop.row(run_id)
    assert (row.state, row.reason) == ("finished", "")
    steps = await workshop.entries(run_id, "step")
    metrics = [cast("Mapping[str, float]", step["metrics"]) for step in steps]
    # Before the first step an adapter says what its reference says.
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert metrics[0]["reward_margin"] == pytest.approx(0, abs=1e-5)
    assert cast("float", steps[-1]["loss"]) < 0.1
    assert metrics[-1]["accuracy"] == 1
    assert metrics[-1]["chosen_reward"] - metrics[-1]["rejected_reward"] == pytest.approx(
        metrics[-1]["reward_margin"], rel=1e-5
    )
    evals = await workshop.entries(run_id, "eval")
    assert [entry["step"] for entry in evals] == [10, 20, 30]
    assert cast("float", evals[-1]["loss"]) < 0.3
    assert cast("Mapping[str, float]", evals[-1]["metrics"])["accuracy"] == 1
    told = [str(entry["message"]) for entry in await workshop.entries(run_id, "progress")]
    assert told[0] == "Scoring the answers before the first step: 0 of 24"


async def test_company_and_beta_change_no_run(workshop: Workshop) -> None:
    settings: list[dict[str, Any]] = [
        {"beta": 0.05},
        {"beta": 0.5, "seed": 1},
        {"rank": 2, "batch_size": 2},
    ]
    alone = []
    for one in settings:
        run_id = await add_run(workshop, steps=8, **one)
        await workshop.driver(run_id).drive()
        alone.append([loss for _, loss in await workshop.losses(run_id)])
    together = [await add_run(workshop, steps=8, **one) for one in settings]
    other = await workshop.add_run(steps=8)

    await asyncio.gather(*(workshop.driver(run_id).drive() for run_id in (*together, other)))

    for run_id, losses in zip(together, alone, strict=True):
        ours = [loss for _, loss in await workshop.losses(run_id)]
        assert ours == pytest.approx(losses, abs=2e-4)
    assert alone[0] != pytest.approx(alone[1], abs=1e-2)


class LostScores:
    """The true trainer, gone once just after it has scored; counts what it was asked to score."""

    def __init__(self, trainer: TrainerHandle) -> None:
        self._trainer = trainer
        self.num_scored: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    async def forward_backward(self, op: ForwardBackward) -> ForwardBackwardResult:
        result = await self._trainer.forward_backward(op)
        if op.forward_only:
            self.num_scored.append(len(op.examples))
            if len(self.num_scored) == 2:
                raise ServiceUnavailableError("The process of the trainer ended.")
        return result


async def test_deaths_while_scoring_and_training_change_no_loss(workshop: Workshop) -> None:
    unbroken = await add_run(workshop, steps=9, checkpoint_every=4)
    await workshop.driver(unbroken).drive()
    run_id = await add_run(workshop, steps=9, checkpoint_every=4)
    loaded = workshop.provider.loaded
    trainer = LostScores(loaded.trainer)
    workshop.provider.loaded = replace(loaded, trainer=cast("TrainerHandle", trainer))
    reference, expected = (
        workshop.artifacts / "runs" / one / REFERENCE_FILE for one in (run_id, unbroken)
    )

    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=6)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    with reference.open("ab") as file:
        file.write(b"a part of an entry")
    await workshop.driver(run_id).drive()

    assert await workshop.losses(run_id) == await workshop.losses(unbroken)
    # Scored once each, but for what came of the call that nobody heard.
    assert trainer.num_scored == [16, 8, 8]
    assert reference.read_bytes() == expected.read_bytes()


async def test_a_run_whose_reference_is_lost_is_not_given_another_one(workshop: Workshop) -> None:
    run_id = await add_run(workshop, steps=500)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "step", step=2)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    (workshop.artifacts / "runs" / run_id / REFERENCE_FILE).unlink()

    await workshop.driver(run_id).drive()

    row = await workshop.row(run_id)
    assert row.state == "failed"
    assert "The reference log-probabilities of 24 answers are gone" in row.reason


async def test_a_run_can_be_stopped_while_answers_are_scored(workshop: Workshop) -> None:
    asked = [{"role": "user", "content": f"Number {number}?"} for number in range(400)]
    run_id = await add_run(workshop, [{**PAIRS[0], "prompt": [one]} for one in asked], steps=3)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "progress")
    await workshop.want(run_id, "stopped")
    await driving
    assert (await workshop.row(run_id)).state == "stopped"
    assert await workshop.losses(run_id) == []


def _build(folder: Path, rows: Sequence[Record], **settings: object) -> Batches:
    config = RunConfig.model_validate({"adapter": "tiny", **DPO, **settings})
    return Batches.build(rows, ChatTemplate.load(folder), config)


def test_only_the_answers_are_compared(tiny_model: Path) -> None:
    template = ChatTemplate.load(tiny_model)
    talk = {
        **PAIRS[0],
        "prompt": [
            {"role": "user", "content": "Count."},
            {"role": "assistant", "content": "One."},
            {"role": "user", "content": "Go on."},
        ],
    }
    [(chosen, rejected)] = _build(tiny_model, [talk]).train
    for example, side in ((chosen, "chosen"), (rejected, "rejected")):
        learned = [t for t, w in zip(example.targets, example.weights, strict=True) if w]
        said = str(talk[side][0]["content"])
        assert template.decode(learned).strip() == said
        assert learned[-1] in template.stop_token_ids
        assert set(example.weights) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("row", "settings", "sentence"),
    [
        (
            {**PAIRS[0], "rejected": [{"role": "assistant", "content": "It is 0."}]},
            {},
            "row 2: the chosen and the rejected answer are the same tokens",
        ),
        ({}, {"max_length": 30}, r"row 2: rejected: the answer ends at token \d+ and is cut at"),
        (
            {"rejected": [{"role": "assistant", "content": "No.<|im_end|> Yes"}]},
            {},
            "row 2, message 2: rejected: '<|im_end|>' in the assistant's text",
        ),
    ],
)
def test_a_pair_that_cannot_be_compared_is_refused(
    tiny_model: Path, row: Record, settings: dict[str, object], sentence: str
) -> None:
    short = {**PAIRS[0], "rejected": [{"role": "assistant", "content": "No."}]}
    with pytest.raises(InvalidDataError, match=sentence):
        _build(tiny_model, [short, {**PAIRS[1], **row}], **settings)


def test_memory_is_estimated_for_both_sides_at_once(tiny_model: Path) -> None:
    config = RunConfig.model_validate({"adapter": "tiny", **DPO, "batch_size": 1})
    settings = TrainerSettings(token_budget=1)
    pairs = _build(tiny_model, PAIRS, batch_size=1)
    sides = replace(pairs, train=tuple((side,) for pair in pairs.train for side in pair))
    both, one = (plan_memory(tiny_model, rows, config, settings) for rows in (pairs, sides))
    assert both > one > 0
    with pytest.raises(OutOfMemoryError, match="One pair of answers, with the prompt twice, of"):
        plan_memory(tiny_model, pairs, config, settings, machine_bytes=10**6)
