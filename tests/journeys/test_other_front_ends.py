"""Notebook 7 and marimo for real: the panel as our extension draws it, and as a widget.

They are not among what the tests need (`pip install notebook marimo`), hence on demand:
`TWINKLE_FRONT_ENDS=1 pytest tests/journeys/test_other_front_ends.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from tests.client.live_service import LiveService
from tests.free_port import free_port
from tests.journeys.browser import open_browser, write_notebook
from tests.journeys.conftest import LabStarter, wait_until
from tests.journeys.saved_panels import begin_run, begin_sweep, step_events
from twinkle_jupyter.client.client import Client

pytestmark = [
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.environ.get("TWINKLE_FRONT_ENDS") != "1", reason="on demand"),
]

_PANEL, _SWEEP = "[data-twinkle-run]", "[data-twinkle-sweep][data-connection='live']"
_MARIMO = """import marimo

app = marimo.App()


@app.cell
def _():
    from twinkle_jupyter import twinkle

    twinkle.show("pirate")
    return
"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveService]:
    with LiveService(tmp_path / "service") as live:
        monkeypatch.setenv("TWINKLE_URL", live.connection.url)
        monkeypatch.setenv("TWINKLE_API_KEY", live.connection.api_key)
        yield live


@pytest.mark.parametrize("without", ["", "twinkle-jupyter"], ids=["extension", "widget"])
def test_notebook_7(
    service: LiveService, start_lab: LabStarter, chromium: str, tmp_path: Path, without: str
) -> None:
    run = _begin(service)
    with Client(service.connection) as client:
        begin_sweep(service, client)
    cells = ("%load_ext twinkle_jupyter", "%twinkle show pirate", "%twinkle show kit")
    lab = start_lab(module="notebook", without=without)
    write_notebook(lab, "run.ipynb", cells)
    with open_browser(chromium, tmp_path / "profile") as (context, watched):
        page = context.new_page()
        page.goto(f"{lab.url}/notebooks/run.ipynb?token={lab.token}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content", timeout=60_000)
        for number in range(len(cells)):
            page.click(f".jp-Notebook .jp-CodeCell >> nth={number} >> .cm-content")
            page.keyboard.press("Shift+Enter")
        try:
            drawing = "svg" if without else "canvas"
            _check_panel(service, page, run, drawing)
            page.wait_for_selector(f"{_SWEEP} .jp-twinkle-plot {drawing}", timeout=20_000)
        finally:
            _picture(page, "notebook-failed")
        _picture(page, "notebook-widget" if without else "notebook")
    assert not watched.external
    # Notebook's own words where a plugin of JupyterLab's that it lacks has no settings.
    errors = [text for text in watched.errors if "reading 'schema'" not in text]
    assert not errors, errors


def test_marimo(service: LiveService, chromium: str, tmp_path: Path) -> None:
    run = _begin(service)
    (tmp_path / "run.py").write_text(_MARIMO, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "marimo", "-q", "run", "run.py", "--headless", "--no-token"]
    marimo = subprocess.Popen([*command, "--port", str(port)], cwd=tmp_path)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), 60, "starting marimo")
        with open_browser(chromium, tmp_path / "profile") as (context, _):
            page = context.new_page()
            page.goto(url)
            _check_panel(service, page, run, "svg")
            _picture(page, "marimo")
    finally:
        marimo.terminate()
        marimo.wait(20)


def _begin(service: LiveService) -> str:
    with Client(service.connection) as client:
        run = begin_run(service, client, "pirate", 100)
    service.append(run, *step_events(1, 40))
    service.change(run, state="running")
    return run


def _check_panel(service: LiveService, page: Page, run: str, drawing: str) -> None:
    """It is live, grows by itself, and its buttons reach the service."""
    page.wait_for_selector(f"{_PANEL} .jp-twinkle-plot {drawing}", timeout=60_000)
    wait_until(lambda: _points(page) == "40", 20, "every point")
    service.append(run, *step_events(41, 60))
    wait_until(lambda: _points(page) == "60", 10, "new points")
    page.click(f"{_PANEL} [data-action='pause']")
    with Client(service.connection) as client:
        wait_until(lambda: client.run(run).wanted == "paused", 10, "pausing")


def _points(page: Page) -> str | None:
    # Marimo's cells are shadow roots, into which Playwright looks and a script's selector does not.
    return page.get_attribute(_PANEL, "data-points")


def _picture(page: Page, name: str) -> None:
    folder = os.environ.get("TWINKLE_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False
