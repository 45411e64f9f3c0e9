"""A sweep in JupyterLab: one live panel, cut and extended by hand, and kept when it is saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Page

from tests.journeys.browser import (
    open_browser,
    open_notebook,
    run_cell,
    wait_for_notebook,
    write_notebook,
)
from tests.journeys.conftest import Lab, LabStarter, wait_until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.timeout(600),
]

NOTEBOOK = "sweep.ipynb"
CELLS = (
    "%load_ext twinkle_jupyter",
    "%twinkle sweep self_cognition --name kit --learning-rate 1e-4,1e-3 --rank 4,8"
    " --steps 400 --batch-size 1 --eval-every 5 --max-length 96",
)
_PANEL = "[data-twinkle-sweep]"


def test_a_sweep_is_watched_cut_and_extended(
    start_lab: LabStarter, chromium: str, tmp_path: Path
) -> None:
    lab = start_lab()
    write_notebook(lab, NOTEBOOK, CELLS)
    with open_browser(chromium, tmp_path / "profile") as (context, watched):
        page = open_notebook(context, lab, NOTEBOOK, len(CELLS))
        run_cell(page, 0)
        run_cell(page, 1)
        _check_live(page)
        _check_table(page)
        _check_prune(page)
        _check_extend(page)
        _save(lab, page)
        page.reload()
        wait_for_notebook(page, len(CELLS))
        wait_until(lambda: _attribute(page, "connection") == "live", 30, "live again")
        page.click(f"{_PANEL} [data-action='stop']")
        page.click(f"{_PANEL} [data-action='stop-confirm']")
        wait_until(lambda: _attribute(page, "state") == "stopped", 60, "stopping")
        assert "best is kit-" in page.inner_text(_PANEL)
        _save(lab, page)
    _check_saved(lab)
    assert not watched.external
    # The browser's own words about the value that was to be refused.
    errors = [text for text in watched.errors if "422" not in text]
    assert not errors, errors


def _check_live(page: Page) -> None:
    wait_until(lambda: _number(page, "members") == 4, 60, "the panel")
    wait_until(lambda: _number(page, "curves") == 4, 60, "four curves")
    before = _number(page, "points")
    wait_until(lambda: _number(page, "points") > before, 20, "curves that grow by themselves")
    wait_until(lambda: "ahead is kit-" in page.inner_text(_PANEL), 60, "a ranking")


def _check_table(page: Page) -> None:
    """The best is marked, any heading sorts, and one member rests while the others go on."""
    page.mouse.move(5, 5)
    wait_until(lambda: "★" in page.inner_text(f"{_PANEL} tbody tr >> nth=0"), 20, "the best first")
    page.focus(f"{_PANEL} [data-sort='learning rate']")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    wait_until(lambda: "1e-3" in page.inner_text(f"{_PANEL} tbody tr >> nth=0"), 5, "sorting")
    page.click(f"{_PANEL} [data-sort='#']")
    resting = "kit-lr1e-3-r4"
    page.click(f"{_PANEL} [aria-label='Pause {resting}']")
    wait_until(lambda: "Paused" in _row(page, resting), 30, "pausing a member")
    page.click(f"{_PANEL} [aria-label='Resume {resting}']")
    wait_until(lambda: "Running" in _row(page, resting), 30, "going on with a member")


def _check_prune(page: Page) -> None:
    pruned = "kit-lr1e-4-r4"
    page.click(f"{_PANEL} [aria-label='Prune {pruned}']")
    wait_until(lambda: "Stopped (pruned)" in _row(page, pruned), 30, "pruning")
    assert "Prune" not in _row(page, pruned)


def _check_extend(page: Page) -> None:
    page.click(f"{_PANEL} summary")
    page.fill(f"{_PANEL} [data-entry='values']", "3e-3")
    page.keyboard.press("Enter")
    wait_until(lambda: _number(page, "members") == 6, 30, "extending")
    assert "kit-lr3e-3-r8" in page.inner_text(_PANEL)
    page.fill(f"{_PANEL} [data-entry='values']", "fast")
    page.keyboard.press("Enter")
    wait_until(lambda: "learning_rate" in _said(page), 20, "a refusal in a sentence")


def _check_saved(lab: Lab) -> None:
    """The notebook on disk has the last picture, for every front end, and no key."""
    saved = _saved(lab)
    assert saved is not None
    assert saved["application/vnd.twinkle.sweep+json"]["sweep"]["state"] == "stopped"
    assert "Stopped (pruned)" in "".join(saved["text/html"])
    assert len(json.dumps(saved)) < 100_000
    assert "tml-" not in (lab.folder / NOTEBOOK).read_text(encoding="utf-8")


def _attribute(page: Page, name: str) -> str | None:
    found = page.query_selector(_PANEL)
    return None if found is None else found.get_attribute(f"data-{name}")


def _number(page: Page, name: str) -> int:
    return int(_attribute(page, name) or 0)


def _row(page: Page, adapter: str) -> str:
    row = page.locator(f"{_PANEL} tbody tr", has_text=adapter)
    return " ".join(row.inner_text().split())


def _said(page: Page) -> str:
    return page.inner_text(f"{_PANEL} .jp-twinkle-steer-said")


def _save(lab: Lab, page: Page) -> None:
    page.click(".jp-Notebook")
    page.keyboard.press("Control+s")
    wait_until(lambda: _saved(lab) is not None, 20, "saving the notebook")
    wait_until(lambda: not page.query_selector(".jp-mod-dirty"), 20, "a notebook without changes")


def _saved(lab: Lab) -> dict[str, Any] | None:
    """Return what the notebook on disk holds of the sweep, if it was saved with it."""
    try:
        notebook = json.loads((lab.folder / NOTEBOOK).read_text(encoding="utf-8"))
    except json.JSONDecodeError:  # Jupyter is writing it
        return None
    for output in notebook["cells"][1]["outputs"]:
        if "application/vnd.twinkle.sweep+json" in output.get("data", {}):
            return cast("dict[str, Any]", output["data"])
    return None
