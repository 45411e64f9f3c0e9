"""The best step of a run: found, kept, and what the run leaves when it is asked for the best."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from tests.runs.conftest import Workshop
from twinkle_jupyter.runs.early_stopping import BestEval, find_best

#: A rate at which the tiny model's eval loss soon rises again.
_WILD: dict[str, Any] = {
    "learning_rate": 0.05,
    "eval_fraction": 0.3,
    "eval_every": 2,
    "checkpoint_every": 100,
}


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20))
def test_the_best_is_the_first_lowest(losses: list[float]) -> None:
    best = find_best({10 * number: loss for number, loss in enumerate(losses, start=1)})
    assert best is not None
    index = losses.index(min(losses))
    assert best == BestEval(10 * (index + 1), losses[index], len(losses) - index - 1)


def test_without_evals_there_is_no_best() -> None:
    assert find_best({}) is None


async def test_a_run_that_gets_no_better_ends_with_its_best_weights(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=400, patience=3, **_WILD)
    await workshop.driver(run_id).drive()

    evals = [
        (cast("int", e["step"]), cast("float", e["loss"]))
        for e in await workshop.entries(run_id, "eval")
    ]
    step, loss = min(evals, key=lambda one: (one[1], one[0]))
    row = await workshop.row(run_id)
    assert (row.state, row.keep, row.step) == ("finished", "best", step + 3 * 2)
    assert (row.best_step, row.best_loss) == (step, loss)
    assert row.checkpoint == row.best_checkpoint == f"step-{step:06d}"
    assert row.reason == (
        f"The eval loss has not fallen for 3 evals; the best was {loss:.4g} at step {step}."
    )


async def test_a_stopped_run_keeps_the_best_if_asked_to(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=400, keep_last=1, **_WILD)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    await workshop.wait_for(run_id, "eval", step=20)
    await workshop.want(run_id, "stopped", keep="best")
    await driving

    row = await workshop.row(run_id)
    assert (row.state, row.checkpoint) == ("stopped", f"step-{row.best_step:06d}")
    folder = workshop.artifacts / "runs" / run_id / "checkpoints"
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == sorted({f"step-{row.best_step:06d}", f"step-{row.step:06d}"})
