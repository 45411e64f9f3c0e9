"""A checkpoint that others may read stays when a run lets go of its old ones."""

from __future__ import annotations

from tests.runs.conftest import Workshop
from twinkle_jupyter.store.shares import ShareRow


async def test_what_is_shared_is_kept_as_long_as_it_is(workshop: Workshop) -> None:
    run_id = await workshop.add_run(steps=6, checkpoint_every=2, keep_last=1)
    row = ShareRow(
        "ada", run_id, "weights", "step-000002", "tiny", "tiny", 8, 16.0, 2, is_of_run=True
    )
    await workshop.store.put(ShareRow.key(run_id, "weights", "step-000002"), row.to_row())

    await workshop.driver(run_id).drive()

    folder = workshop.artifacts / "runs" / run_id / "checkpoints"
    assert sorted(one.name for one in folder.iterdir()) == ["step-000002", "step-000006"]
