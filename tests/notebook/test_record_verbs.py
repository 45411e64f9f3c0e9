"""`record` and `train --from` as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.live_service import LiveService
from tests.notebook.conftest import PlainShell
from tests.recorded import recorded
from tests.records import SUMS
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_record import RECORD_FILE, read_record
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, InvalidDataError

_TRAIN = "%twinkle train rows --adapter before --steps 40"


@pytest.fixture
def folder(shell: PlainShell, live: LiveService, tmp_path: Path) -> Path:
    """What `record --to` has written of a run."""
    shell.push(rows=SUMS)
    assert shell.run(_TRAIN) is None
    with Client(live.connection) as client:
        run = client.run("before")
    record = recorded(dict(run.config), SUMS, run_id=run.run_id)
    path = live.config.run_folder(run.run_id) / RECORD_FILE
    path.write_text(record.model_dump_json())
    live.change(run.run_id, state="finished")
    assert shell.run(f"%twinkle record before --to {tmp_path / 'kept'}") is None
    return tmp_path / "kept"


def test_a_run_is_written_out_and_repeated(
    shell: PlainShell, live: LiveService, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["records.jsonl", "run.json"]
    assert shell.run("%twinkle record before") is None
    shown = capsys.readouterr().out
    assert "finished after step 40" in shown
    assert "step 7: learning_rate=0.0003" in shown
    assert isinstance(shell.run(f"%twinkle record before --to {folder}"), ConflictError)
    assert shell.run(f"%twinkle train --from {folder} --adapter again") is None
    with Client(live.connection) as client:
        again = client.run("again")
    assert again.config == {**read_record(folder).config, "adapter": "again"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--rank 4 --seed 2", "`--rank`, `--seed` cannot be given with `--from`"),
        ("--from-adapter before", "`--from-adapter` cannot be given"),
        ("rows", "data cannot be given with `--from`"),
    ],
)
def test_what_would_make_another_curve_is_refused(
    shell: PlainShell, folder: Path, words: str, says: str
) -> None:
    error = shell.run(f"%twinkle train {words} --from {folder} --adapter again")
    assert isinstance(error, InvalidConfigError)
    assert says in str(error)


def test_rows_that_were_changed_are_refused(shell: PlainShell, folder: Path) -> None:
    rows = folder / "records.jsonl"
    rows.write_text(rows.read_text().replace("2", "3", 1))
    error = shell.run(f"%twinkle train --from {folder / 'run.json'} --adapter again")
    assert isinstance(error, InvalidDataError)
    assert "The rows are not those of run" in str(error)
    assert isinstance(shell.run("%twinkle train --from nowhere"), InvalidConfigError)
