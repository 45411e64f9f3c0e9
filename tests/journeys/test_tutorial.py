"""The first tutorial: run through in a browser and looked at while it trains.

`make notebooks` runs it without one, too.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.reader import NotJSONError
from playwright.sync_api import Page

from tests.journeys.browser import choose_theme, open_browser, open_notebook, panel_numbers
from tests.journeys.conftest import LabStarter, processes_of, wait_until
from twinkle_jupyter.cli.main import main

pytestmark = [
    pytest.mark.ray,
    pytest.mark.model,
    pytest.mark.timeout(600),
    # nbclient's own sockets, closed by the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

TUTORIAL = Path(__file__).parents[2] / "notebooks" / "01_first_adapter.ipynb"
IMAGES = Path(__file__).parents[2] / "docs" / "images"
_ANSWER_CHANGED_S = 120.0
_ALL_S = 120.0
#: In the browser, where another worker has one of two cores.
_ALL_IN_BROWSER_S = 180.0
_WRITING = ".jp-twinkle-mod-writing .jp-twinkle-answer:not(:empty)"


def _text(cell: nbformat.NotebookNode) -> str:
    outputs = cell.get("outputs", [])
    return json.dumps([output.get("data", output.get("text", "")) for output in outputs])


def _check_outputs(notebook: nbformat.NotebookNode) -> None:
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [one for cell in codes for one in cell.outputs if one.output_type == "error"]
    before = next(cell for cell in codes if cell.source.startswith("%%twinkle chat base"))
    after = next(cell for cell in codes if "introduce yourself" in cell.source)
    kept = next(cell for cell in codes if "--compare" in cell.source and "France" in cell.source)
    assert "Twinkle" not in _text(before)
    assert "Twinkle" in _text(after)
    assert "Paris" in _text(kept)
    panel = next(cell for cell in codes if cell.source.startswith("%twinkle train"))
    assert "application/vnd.twinkle.run+json" in _text(panel)
    assert len(nbformat.writes(notebook)) < 200_000


@pytest.mark.skipif(not os.environ.get("TWINKLE_ALL_NOTEBOOKS"), reason="run in a browser below")
def test_the_tutorial_runs_from_nothing_to_a_changed_answer(
    base_model_folder: Path, tmp_path: Path
) -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    started = time.monotonic()
    try:
        NotebookClient(
            notebook,
            timeout=180,
            kernel_name="python3",
            store_widget_state=False,
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
    finally:
        main(["stop"])
    seconds = time.monotonic() - started
    _check_outputs(notebook)
    assert seconds < _ALL_S, f"the tutorial took {seconds:.0f} s"
    wait_until(lambda: not processes_of(os.environ["TWINKLE_HOME"]), 15, "ending the service")


@pytest.mark.browser
def test_the_answer_turns_while_one_watches(
    start_lab: LabStarter, chromium: str, base_model_folder: Path, tmp_path: Path
) -> None:
    lab = start_lab()
    shutil.copy(TUTORIAL, lab.folder)
    with open_browser(chromium, tmp_path / "profile") as (context, watched):
        page = open_notebook(context, lab, TUTORIAL.name, 1)
        started = time.monotonic()
        page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
        # The last cell is in view then, and what is not in view is not drawn.
        page.locator("[data-twinkle-run]").first.scroll_into_view_if_needed(timeout=60_000)
        wait_until(lambda: page.query_selector(_WRITING), 60, "seeing an answer being written")
        wait_until(lambda: "Twinkle" in _answer(page), _ANSWER_CHANGED_S, "the changed answer")
        sys.stdout.write(f"changed answer after {time.monotonic() - started:.1f} s, cold\n")
        wait_until(lambda: panel_numbers(page)["state"] == "finished", 60, "finishing")
        wait_until(lambda: _is_through(page, lab.folder / TUTORIAL.name), 60, "the last cell")
        seconds = time.monotonic() - started
        sys.stdout.write(f"all cells after {seconds:.1f} s, cold\n")
        _take_pictures(page)
    assert seconds < _ALL_IN_BROWSER_S
    _check_outputs(nbformat.read(lab.folder / TUTORIAL.name, as_version=4))
    assert not watched.external
    assert not watched.errors, watched.errors


def _is_through(page: Page, saved: Path) -> bool:
    """Save, and see whether every cell has been run."""
    page.keyboard.press("Control+s")
    try:
        cells = nbformat.read(saved, as_version=4).cells
    except NotJSONError:  # it is being written
        return False
    return all(cell.execution_count for cell in cells if cell.cell_type == "code")


def _answer(page: Page) -> str:
    found = page.query_selector("[data-probe-index='0'] .jp-twinkle-answer")
    return found.inner_text() if found is not None else ""


def _take_pictures(page: Page) -> None:
    """In light and in dark; they replace those in the docs when `TWINKLE_SCREENSHOTS` is set."""
    for theme, name in (("dark", "JupyterLab Dark"), ("light", "JupyterLab Light")):
        choose_theme(page, name)
        panel = page.wait_for_selector("[data-twinkle-run]")
        assert panel is not None
        panel.scroll_into_view_if_needed()
        page.mouse.move(5, 500)
        # The menu fades out.
        page.wait_for_timeout(1000)
        picture = page.screenshot()
        if os.environ.get("TWINKLE_SCREENSHOTS"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            (IMAGES / f"panel-{theme}.png").write_bytes(picture)
