"""`metrics` as it is typed, against the real service."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from tests.client.live_service import LiveService
from tests.client.metric_entries import entries_of_a_run
from tests.notebook.conftest import PlainShell
from tests.records import SUMS
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.errors import InvalidConfigError, MissingDependencyError, NotFoundError
from twinkle_jupyter.store.records import RunRow


@pytest.fixture
def run(
    shell: PlainShell, live: LiveService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A run with six steps in its log, still going on."""
    monkeypatch.chdir(tmp_path)
    shell.push(rows=SUMS)
    assert shell.run("%twinkle train rows --adapter pirate --steps 40") is None
    with Client(live.connection) as client:
        run_id = client.run("pirate").run_id
    for entry in entries_of_a_run(6)[:-1]:
        live.call(live.store.append(RunRow.log(run_id), entry))
    return run_id


def _end(live: LiveService, run: str) -> None:
    live.call(live.store.append(RunRow.log(run), entries_of_a_run(6)[-1]))
    live.change(run, state="finished")


def test_metrics_are_a_table_and_files(shell: PlainShell, run: str, tmp_path: Path) -> None:
    assert shell.run("m = get_ipython().run_line_magic('twinkle', 'metrics pirate')") is None
    table = shell.ip.user_ns["m"]
    assert isinstance(table, pd.DataFrame)
    assert table["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["eval_loss"].isna().tolist() == [True, False] * 3
    assert shell.run("%twinkle metrics pirate --to out.csv") is None
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 7
    assert isinstance(shell.run("%twinkle metrics pirate --to out.doc"), InvalidConfigError)
    assert isinstance(shell.run("%twinkle metrics nobody"), NotFoundError)


def test_a_logger_is_fed_beside_the_cells_until_the_end(
    shell: PlainShell, live: LiveService, run: str, tmp_path: Path
) -> None:
    for _ in range(2):  # the same cell twice feeds one logger
        assert shell.run("%twinkle metrics pirate --to tensorboard --folder tb") is None
    _end(live, run)
    assert shell.run("%twinkle metrics pirate --to tensorboard --folder tb --wait") is None
    files = list((tmp_path / "tb").rglob("events.out.tfevents.*"))
    assert len(files) == 1
    assert files[0].parent.name == f"pirate-{run}"


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_library_that_is_missing_is_one_sentence(shell: PlainShell, run: str, name: str) -> None:
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is here")
    error = shell.run(f"%twinkle metrics pirate --to {name}")
    assert isinstance(error, MissingDependencyError)
    assert f"pip install {name}" in str(error)
