"""The log of a run with metrics of every kind."""

from __future__ import annotations

from twinkle_jupyter.runs.events import (
    EvalDone,
    Planned,
    ProbeAnswered,
    RunEvent,
    StateChanged,
    StepDone,
)
from twinkle_jupyter.store.interface import Row

_AT = "2026-11-25T10:00:00.500+00:00"


def entries_of_a_run(num_steps: int) -> list[Row]:
    """Return it whole: an eval every other step, a late answer, the end."""
    events: list[RunEvent] = [
        StateChanged(state="running", step=0, at=_AT),
        Planned(total_steps=num_steps, num_train_rows=8, num_eval_rows=2, at=_AT),
        ProbeAnswered(step=0, index=0, prompt="Who?", answer="Me", at=_AT),
    ]
    for step in range(1, num_steps + 1):
        events.append(
            StepDone(
                step=step,
                loss=3.0 / step,
                learning_rate=1e-3,
                grad_norm=0.5,
                num_tokens=40,
                num_supervised=10,
                seconds=0.25,
                at=_AT,
            )
        )
        if step % 2 == 0:
            events.append(EvalDone(step=step, loss=4.0 / step, at=_AT))
    events.append(ProbeAnswered(step=2, index=0, prompt="Who?", answer="A pirate", at=_AT))
    events.append(StateChanged(state="finished", step=num_steps, at=_AT))
    return [event.to_entry() for event in events]
