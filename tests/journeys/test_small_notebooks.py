"""Tutorials with the tiny model in the place of the real one: every cell runs, in seconds.

What they teach needs the real one: `make notebooks` runs that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.client.live_service import LiveService
from tests.journeys.local_runs import LocalRuns
from twinkle_jupyter.store.records import PhaseRow

pytestmark = [
    pytest.mark.timeout(120),
    # nbclient's own sockets, closed by the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[2]
#: What each of them shows at its end.
ENDS = {
    "03_sweep_in_one_batch": "tone-lr",
    "04_steer_fork_rewind": "└─ bold",
    "06_preferences_from_thumbs": "A chat with base, taste",
}
#: The tiny model reads 256 tokens, and is too fast to be steered within 60 steps.
CHANGES = {
    " self_cognition ": " self_cognition --max-length 128 ",
    "--steps 60": "--steps 3000",
    "--keep-last 20": "--keep-last 2000",
}


@pytest.fixture
def _live(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TWINKLE_BASE_MODEL", str(tiny_model))
    with LiveService(tmp_path / "service", tiny_model) as live:
        live.call(live.store.put(PhaseRow.KEY, PhaseRow("ready").to_row()))
        runs = LocalRuns(live, tiny_model)
        runs.begin()
        yield
        runs.end()


@pytest.mark.usefixtures("_live")
@pytest.mark.parametrize("name", list(ENDS))
def test_every_cell_runs(name: str, tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        for words, others in CHANGES.items():
            cell.source = cell.source.replace(words, others)
    NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    last = str([cell.outputs for cell in notebook.cells if cell.cell_type == "code"][-2:])
    assert ENDS[name] in last
