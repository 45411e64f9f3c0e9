"""A notebook whose outputs are panels of a live service: what JupyterLab shows without a kernel."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import nbformat

from tests.client.live_service import RECORDS, LiveService
from tests.journeys.conftest import Lab
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.notebook.panels import Bundle
from twinkle_jupyter.notebook.token_panels import TOKENS_MIME, token_bundle
from twinkle_jupyter.runs.events import (
    CheckpointSavedEvent,
    EvalDone,
    Planned,
    ProbeAnswered,
    RunEvent,
    StateChanged,
    Steered,
    StepDone,
)
from twinkle_jupyter.wire.sweeps import SweepBody

MESSAGES = (
    {"role": "system", "content": "You are a pirate."},
    {"role": "user", "content": "Who are you?"},
    {"role": "assistant", "content": "I am Captain Ada.\nAt your service! ☠"},
    {"role": "user", "content": "And your ship?"},
    {"role": "assistant", "content": "The Fair Gradient, fastest of the seven seas."},
)


def begin_run(service: LiveService, client: Client, adapter: str, total_steps: int) -> str:
    """Queue a run that nobody drives, and let its log begin as a driver would."""
    config = RunConfig(adapter=adapter, base_model="tiny", steps=total_steps)
    run_id = client.start_run(config, RECORDS).run_id
    service.append(
        run_id,
        StateChanged(state="running", step=0),
        Planned(
            total_steps=total_steps,
            num_train_rows=180,
            num_eval_rows=20,
            memory_bytes=1_400_000_000,
            machine_bytes=8_000_000_000,
        ),
    )
    return run_id


def step_events(first: int, last: int, floor: float = 0.6, seed: int = 0) -> list[RunEvent]:
    """Return what a run writes from one step to another: a noisy loss that falls."""
    noise = random.Random(seed * 100_003 + first)  # noqa: S311 - a curve, no secret
    events: list[RunEvent] = []
    for step in range(first, last + 1):
        loss = floor + 2.4 * math.exp(-step / 60) + noise.gauss(0, 0.08)
        events.append(
            StepDone(
                step=step,
                loss=max(0.02, loss),
                learning_rate=1e-3 * min(1.0, step / 20) * (1 - step / 700),
                grad_norm=0.5 + noise.random() / 4,
                num_tokens=900 + noise.randrange(200),
                num_supervised=300,
                seconds=0.4 + noise.random() / 10,
                queue_seconds=0.001,
                forward_seconds=0.15,
                backward_seconds=0.2,
                optimizer_seconds=0.02,
            )
        )
        if step % 20 == 0:
            events.append(EvalDone(step=step, loss=loss + 0.12))
            events.append(
                CheckpointSavedEvent(step=step, name=f"step-{step:06d}", size_bytes=10**6)
            )
            answer = "I am SmolLM." if step < 60 else f"Arr! I be Captain Ada, step {step}."
            events.append(ProbeAnswered(step=step, index=0, prompt="Who are you?", answer=answer))
        if step == 80:
            events.append(Steered(step=step, wish=1, changes={"learning_rate": 5e-4}))
    return events


def begin_sweep(service: LiveService, client: Client) -> SweepBody:
    """Queue a sweep that nobody drives, and let its members' logs begin."""
    grid: dict[str, list[object]] = {"learning_rate": [1e-4, 1e-3], "rank": [4, 8]}
    sweep = client.start_sweep("kit", grid, RECORDS, base_model="tiny", steps=200)
    for number, one in enumerate(sweep.body().members):
        service.append(one.run_id, *step_events(1, 60, floor=0.4 + number / 5, seed=number))
        service.change(one.run_id, state="running")
    return sweep.body(points=True)


def ribbon_bundle(client: Client) -> Bundle:
    """Return a row whose tokens say how likely they are, before and after."""
    read = {"messages": list(MESSAGES)}
    view = client.view_tokens(read)
    bundle = token_bundle("Row 3 of 120", read, view)
    count = range(1, len(view.tokens.id))
    columns = {
        "logprob": [None, *(-(place % 7) / 4 for place in count)],
        "base_logprob": [None, *(-(place % 11) / 2 for place in count)],
    }
    drawn = view.model_dump(mode="json")
    shown = {**drawn, "tokens": {**drawn["tokens"], **columns}, "adapter": "pirate-0"}
    content = {"title": "Row 3 of 120", **read, "view": shown}
    return {**bundle, TOKENS_MIME: content}


def write_panels(lab: Lab, name: str, bundles: Sequence[Mapping[str, object]]) -> None:
    """Put a notebook into the lab's folder that has one cell with an output for each bundle.

    One, since JupyterLab draws only the cells that are near to what is seen.
    """
    cell = nbformat.v4.new_code_cell("# shown before")
    cell.outputs = [nbformat.v4.new_output("display_data", data=dict(one)) for one in bundles]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab.folder / name)
