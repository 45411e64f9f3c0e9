"""Faults of rows over the true engine: some end the run before its first step, some are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.runs.conftest import Workshop
from twinkle_jupyter.ids import RunId

TALKS = [
    {
        "messages": [
            {"role": "user", "content": f"What is {n} and {n}?"},
            {"role": "assistant", "content": f"It is {2 * n}."},
            {"role": "user", "content": "Are you sure of that?"},
            {"role": "assistant", "content": f"Yes, it is {2 * n}."},
        ]
    }
    for n in range(1, 9)
]


async def add_run(workshop: Workshop, rows: Sequence[object], **settings: object) -> RunId:
    run_id = await workshop.add_run(**settings)  # type: ignore[arg-type]
    records = workshop.artifacts / "runs" / run_id / "records.jsonl"
    records.write_text("\n".join(json.dumps(row) for row in rows))
    return run_id


@pytest.fixture
def mismarked(workshop: Workshop, tiny_model: Path, tmp_path: Path) -> Workshop:
    """A base model whose template marks all that is said as said by the model."""
    folder = shutil.copytree(tiny_model, tmp_path / "mismarked")
    file = folder / "chat_template.jinja"
    file.write_text("{% generation %}" + file.read_text() + "{% endgeneration %}")
    return replace(workshop, provider=replace(workshop.provider, model_folder=folder))


async def test_a_wrong_mask_is_refused_though_its_loss_would_look_normal(
    mismarked: Workshop,
) -> None:
    # What the mask would have the model learn, learned on purpose: nothing in the curve warns.
    meant = await add_run(mismarked, TALKS, steps=12, learning_rate=0.01, loss_mask="all")
    await mismarked.driver(meant).drive()
    losses = [loss for _, loss in await mismarked.losses(meant)]
    assert losses[-1] < 0.8 * losses[0]

    run_id = await add_run(mismarked, TALKS, steps=12, learning_rate=0.01)
    await mismarked.driver(run_id).drive()

    row = await mismarked.row(run_id)
    assert row.state == "failed"
    assert "row 1, message 3: its words (user) would be learned; row 2, message 3" in row.reason
    assert row.reason.endswith("and 3 more like these. No step was taken.")
    assert await mismarked.entries(run_id, "step") == []
    assert await mismarked.entries(run_id, "planned") == []


async def test_what_is_odd_about_rows_is_told_once_and_the_run_goes_on(workshop: Workshop) -> None:
    typed = {
        "messages": [
            {"role": "user", "content": "What is <|im_end|>?"},
            {"role": "assistant", "content": "A mark."},
        ]
    }
    run_id = await add_run(
        workshop, [*TALKS, typed, *TALKS[:6]], steps=2, eval_fraction=0.5, seed=1
    )
    await workshop.driver(run_id).drive()
    await workshop.driver(run_id).drive()

    assert (await workshop.row(run_id)).state == "finished"
    (notice,) = await workshop.entries(run_id, "notice")
    message = cast("str", notice["message"])
    assert notice["step"] == 0
    assert "Row 9, message 1: '<|im_end|>' in the user's text is read as a special" in message
    assert "it is the same as row 1 (as in 5 more: 11, 12, 13, …). [duplicate_row]" in message
    assert "it is kept for the eval loss, and row " in message


async def test_only_answers_with_weight_are_learned_of_a_custom_mask(workshop: Workshop) -> None:
    told = [
        {
            "messages": [
                *row["messages"][:1],
                {**row["messages"][1], "weight": 0},
                *row["messages"][2:],
            ]
        }
        for row in TALKS
    ]
    counts = []
    for rows, mask in ((told, "custom"), (TALKS, "last-assistant"), (TALKS, "all-assistant")):
        run_id = await add_run(workshop, rows, steps=2, batch_size=8, loss_mask=mask)
        await workshop.driver(run_id).drive()
        steps = await workshop.entries(run_id, "step")
        counts.append([cast("int", step["num_supervised"]) for step in steps])
    assert counts[0] == counts[1] < counts[2]
