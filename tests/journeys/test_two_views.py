"""One chat in two views of its output, in a real JupyterLab: what is said in either is saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from tests.journeys.browser import open_browser, wait_for_notebook
from tests.journeys.conftest import Lab, LabStarter, wait_until
from tests.journeys.saved_panels import write_panels
from twinkle_jupyter.notebook.chat_panels import CHAT_MIME, chat_bundle

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(240)]

_CHAT = "[data-twinkle-chat]"
_NOTEBOOK, _COPY = f".jp-NotebookPanel {_CHAT}", f".jp-LinkedOutputView {_CHAT}"


@pytest.mark.usefixtures("live_service")
def test_a_chat_in_two_views_is_saved_whole(
    start_lab: LabStarter, chromium: str, tmp_path: Path
) -> None:
    lab = start_lab()
    write_panels(lab, "c.ipynb", [chat_bundle(["base"], "", {"max_tokens": 12})])
    with open_browser(chromium, tmp_path / "profile") as (context, _):
        page = context.new_page()
        page.goto(f"{lab.url}/lab/tree/c.ipynb?token={lab.token}&reset")
        wait_for_notebook(page, 1)
        page.wait_for_selector(_NOTEBOOK)
        page.click(".jp-OutputArea-output", button="right", position={"x": 5, "y": 5})
        page.click(".lm-Menu-itemLabel >> text=Create New View for Cell Output")
        page.wait_for_selector(_COPY)
        for number, (view, other) in enumerate([(_COPY, _NOTEBOOK), (_NOTEBOOK, _COPY)], 1):
            page.fill(f"{view} [data-entry='question']", f"Question {number}")
            page.press(f"{view} [data-entry='question']", "Enter")
            page.wait_for_selector(f"{other}[data-turns='{number}']")
        # Saving from the panel's own field, with both views open.
        page.press(f"{_NOTEBOOK} [data-entry='question']", "Control+s")
        wait_until(lambda: len(_prompts(lab)) == 2, 10, "saving")
        assert _prompts(lab) == ["Question 1", "Question 2"]


def _prompts(lab: Lab) -> list[str]:
    try:
        notebook = json.loads((lab.folder / "c.ipynb").read_text(encoding="utf-8"))
    except ValueError:
        return []  # it is being written
    chat = notebook["cells"][0]["outputs"][0]["data"][CHAT_MIME]
    return [cast("str", turn["prompt"]) for turn in chat["turns"]]
