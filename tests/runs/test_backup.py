"""A backup that is taken while a run trains, and the run that goes on from it elsewhere."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path

import pytest

from tests.runs.conftest import Workshop
from twinkle_jupyter.store.sqlite import SqliteStore

_SCRIPT = Path(__file__).parents[2] / "deploy" / "backup.py"


async def test_a_run_goes_on_from_each_backup_of_a_store_at_work(
    workshop: Workshop, tmp_path: Path
) -> None:
    back_up = runpy.run_path(str(_SCRIPT))["back_up"]
    run_id = await workshop.add_run(steps=20, checkpoint_every=1, keep_last=1)
    driving = asyncio.create_task(workshop.driver(run_id).drive())
    backups = [tmp_path / f"backup-{number}" for number in range(2)]
    for number, backup in enumerate(backups):
        await workshop.wait_for(run_id, "step", step=7 * number + 2)
        await asyncio.to_thread(back_up, tmp_path, backup)
    await driving
    unbroken = await workshop.losses(run_id)

    for backup in backups:
        store = SqliteStore.open(backup / "store.sqlite3")
        restored = Workshop(store, backup / "artifacts", workshop.provider)
        begins = (await restored.row(run_id)).step
        await restored.driver(run_id).drive()
        row, losses = await restored.row(run_id), await restored.losses(run_id)
        await store.close()
        assert 0 < begins < 20, "it was taken on the way"
        assert (row.state, row.step) == ("finished", 20)
        assert [step for step, _ in losses] == list(range(1, 21))
        expected = pytest.approx([loss for _, loss in unbroken], rel=1e-5)
        assert [loss for _, loss in losses] == expected
    with pytest.raises(FileExistsError):
        back_up(tmp_path, backups[0])
