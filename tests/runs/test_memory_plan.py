"""What a run needs is told before its first step; what cannot fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.records import SUMS
from tests.runs.conftest import Workshop
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import OutOfMemoryError
from twinkle_jupyter.runs.batches import Batches
from twinkle_jupyter.runs.memory_plan import plan_memory
from twinkle_jupyter.runtime.compute_plan import ComputePlan, plan_compute
from twinkle_jupyter.templates.chat_template import ChatTemplate

SETTINGS = TrainerSettings()


@pytest.fixture
def batches(tiny_model: Path) -> Batches:
    return _batches(tiny_model, RunConfig(adapter="tiny", batch_size=2))


def _batches(folder: Path, config: RunConfig) -> Batches:
    return Batches.build(SUMS, ChatTemplate.load(folder), config)


def test_more_rows_in_a_step_need_more_until_the_budget_parts_them(tiny_model: Path) -> None:
    def needed(batch_size: int, token_budget: int = 8192) -> int:
        config = RunConfig(adapter="tiny", batch_size=batch_size)
        settings = TrainerSettings(token_budget=token_budget)
        return plan_memory(tiny_model, _batches(tiny_model, config), config, settings)

    assert 0 < needed(1) < needed(4)
    assert needed(4, token_budget=1) < needed(4)


def test_a_row_that_the_machine_cannot_hold_is_refused(tiny_model: Path, batches: Batches) -> None:
    config = RunConfig(adapter="tiny", batch_size=2, max_length=200)
    with pytest.raises(
        OutOfMemoryError,
        match=r"One row of \d+ tokens needs about 0\.0 GB of memory; this machine has 0\.0 GB"
        r".*max_length \(now 200\).*batch_size \(now 2\)",
    ):
        plan_memory(tiny_model, batches, config, SETTINGS, machine_bytes=10**6)


def test_a_model_of_an_unknown_shape_has_no_estimate(tmp_path: Path, batches: Batches) -> None:
    assert plan_memory(tmp_path, batches, RunConfig(adapter="tiny"), SETTINGS) == 0
    assert plan_compute(tmp_path, SETTINGS) == ComputePlan(8192, gradient_checkpointing=False)


def test_a_small_machine_gets_smaller_parts_and_checkpoints(tiny_model: Path) -> None:
    assert plan_compute(tiny_model, SETTINGS, 10**11) == ComputePlan(8192, False)
    small = plan_compute(tiny_model, SETTINGS, 52 * 10**6)
    assert small.gradient_checkpointing
    assert 1 <= small.token_budget < 8192
    off = plan_compute(tiny_model, TrainerSettings(gradient_checkpointing="off"), 52 * 10**6)
    assert not off.gradient_checkpointing
    assert off.token_budget < small.token_budget


async def test_the_plan_of_a_run_says_what_it_needs(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=1)
    await workshop.driver(run_id).drive()
    [planned] = await workshop.entries(run_id, "planned")
    assert cast("int", planned["memory_bytes"]) > 10**6
    [step] = await workshop.entries(run_id, "step")
    phases = ("forward_seconds", "backward_seconds", "optimizer_seconds")
    assert all(cast("float", step[name]) > 0 for name in phases)
