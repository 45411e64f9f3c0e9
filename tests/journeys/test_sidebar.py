"""The sidebar in a real JupyterLab and Chromium, behind a base URL, over a real service process."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import BrowserContext, Page, Request

from tests.journeys.browser import choose_theme, open_browser, wait_for_notebook, write_notebook
from tests.journeys.conftest import Lab, LabStarter, wait_until
from tests.journeys.panel_looks import AXE
from tests.journeys.sidebar_page import (
    RUN,
    SIDEBAR,
    ask_to_train_on,
    check_row,
    fork_by_keyboard,
    send_form,
    show_sidebar,
)

pytestmark = [
    *(pytest.mark.browser, pytest.mark.model, pytest.mark.crash),
    pytest.mark.timeout(240),
]

BASE_URL = "/user/anna"
FILE = "Pirate talk.jsonl"
_THEMES = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "contrast": "JupyterLab Dark High Contrast",
}
ROWS = "".join(
    json.dumps(
        {
            "messages": [
                {"role": "user", "content": f"Who are you, number {number}?"},
                {"role": "assistant", "content": "Arr, I am a pirate of the sea."},
            ]
        }
    )
    + "\n"
    for number in range(120)
)
#: The issue's words: it says so and recovers by itself.
_BACK_S = 30.0


@pytest.fixture
def lab(
    start_lab: LabStarter, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Lab:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    # What a cell of the notebook trains; the service has it loaded by another name.
    monkeypatch.setenv("TWINKLE_BASE_MODEL", str(tiny_model))
    command = [sys.executable, "-m", "tests.journeys.local_service"]
    command += [str(tmp_path / "service"), str(tiny_model)]
    lab = start_lab(
        *(f"--TwinkleExtension.service_command={word}" for word in command), base_url=BASE_URL
    )
    (lab.folder / FILE).write_text(ROWS, encoding="utf-8")
    write_notebook(lab, "n.ipynb", [""])
    return lab


def test_a_run_from_the_file_menu_is_seen_steered_and_survives(
    lab: Lab, chromium: str, tmp_path: Path
) -> None:
    figures: dict[str, float] = {}
    addresses: list[str] = []
    with open_browser(chromium, tmp_path / "profile") as (context, watched):
        page = _open(context, lab, addresses)
        _check_start(page)
        _train_from_file_menu(page)
        check_row(page, "Pirate-talk")
        fork_by_keyboard(page)
        _check_chat_and_reload(page)
        _check_looks(page)
        _check_cell(page)
        figures["away and back"] = _check_kill(lab, page)
        _check_stop(page)
        _check_xsrf(page)
    sys.stdout.write(f"{json.dumps(figures)}\n")
    assert not watched.external
    # The browser's own words about requests that were to be refused.
    errors = [text for text in watched.errors if "403" not in text and "503" not in text]
    assert not errors, errors
    assert figures["away and back"] <= _BACK_S
    paths = [urlsplit(url).path for url in addresses if not url.startswith(("blob:", "data:"))]
    assert [path for path in paths if not path.startswith(f"{BASE_URL}/")] == []
    log = (lab.home / "lab.log").read_text("utf-8")
    for text in (*addresses, log):
        assert lab.token not in text
        assert not re.search(r"\btml-[\w-]{20}", text)
    assert "Traceback" not in log


def _open(context: BrowserContext, lab: Lab, addresses: list[str]) -> Page:
    page = context.new_page()
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")

    def note(request: Request) -> None:
        # The page's own address may have the token with which a person came: that is Jupyter's.
        if not request.is_navigation_request():
            addresses.append(request.url)

    page.on("request", note)
    page.on("websocket", lambda socket: addresses.append(socket.url))
    show_sidebar(page)
    return page


def _check_start(page: Page) -> None:
    """Without a service there is a button, and without runs what to do: by keyboard, too."""
    assert "not running" in page.inner_text(f"{SIDEBAR} [data-section='runs']")
    page.focus(f"{SIDEBAR} [data-section='runs'] [data-action='empty']")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{SIDEBAR} [data-phase='ready']", timeout=60_000)
    page.wait_for_selector(f"{SIDEBAR} [data-section='runs'] >> text=No runs yet")


def _train_from_file_menu(page: Page) -> None:
    ask_to_train_on(page, FILE, 100_000)
    page.fill(".jp-Dialog input[name='rank']", "0")
    page.click(".jp-Dialog .jp-mod-accept")
    # What is wrong is said, and what was entered is still there.
    page.wait_for_selector(".jp-twinkle-form-problem >> text=The rank must be")
    assert page.input_value(".jp-Dialog input[name='steps']") == "100000"
    page.fill(".jp-Dialog input[name='rank']", "4")
    send_form(page)


def _check_chat_and_reload(page: Page) -> None:
    page.click(f"{SIDEBAR} [data-adapter] [data-action='chat'] >> nth=0")
    page.fill("[data-twinkle-chat] [data-entry='question']", "Who are you?")
    page.click("[data-twinkle-chat] [data-action='send']")
    page.wait_for_selector("[data-twinkle-chat] .jp-twinkle-answer:not(:empty)", timeout=20_000)
    page.wait_for_selector("[data-twinkle-chat][data-writing='false']", timeout=20_000)
    wait_until(lambda: _num_kept_tabs(page) == 3, 20, "JupyterLab keeping its layout")
    page.reload()
    show_sidebar(page)
    tabs = page.locator("li.lm-TabBar-tab[data-id^='twinkle-']:not([data-id='twinkle-sidebar'])")
    wait_until(lambda: tabs.count() == 3, 20, "the tabs being back")
    tabs.filter(has_text="Chat").click()
    page.wait_for_selector("[data-twinkle-chat] .jp-twinkle-asked >> text=Who are you?")
    page.wait_for_selector("[data-twinkle-chat] .jp-twinkle-answer:not(:empty)")


def _num_kept_tabs(page: Page) -> int:
    """Return how many of our tabs are in the layout that a reload begins with."""
    ask = "url => fetch(url).then(answer => answer.json())"
    data = page.evaluate(ask, f"{BASE_URL}/lab/api/workspaces/default")["data"]
    main = json.dumps(data.get("layout-restorer:data", {}).get("main", {}))
    return len(set(re.findall(r"twinkle-(?:runs|chats):[^\"]+", main)))


def _check_looks(page: Page) -> None:
    """Light, dark, high contrast and narrow: nothing serious for axe, and nothing is cut off."""
    page.add_script_tag(path=AXE_FILE_PATH)
    page.click(f"{SIDEBAR} [data-section='checkpoints'] > summary")
    page.wait_for_selector(f"{SIDEBAR} [data-checkpoint]")
    faults = {}
    for look, theme in _THEMES.items():
        choose_theme(page, theme)
        page.wait_for_timeout(300)
        for part in ("header", "section"):
            faults[look, part] = page.evaluate(AXE, f".jp-twinkle-side-{part}")
        _save(page, look)
    page.evaluate("() => document.querySelector('#twinkle-sidebar').style.maxWidth = '200px'")
    for section in page.locator(f"{SIDEBAR} .jp-twinkle-side-section").all():
        assert section.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    faults["narrow", ""] = page.evaluate(AXE, ".jp-twinkle-side-section")
    _save(page, "narrow")
    page.evaluate("() => document.querySelector('#twinkle-sidebar').style.maxWidth = ''")
    assert {where: found for where, found in faults.items() if found} == {}


def _save(page: Page, name: str) -> None:
    """Keep a picture for whoever wants to look: `TWINKLE_PICTURES` names the folder."""
    if folder := os.environ.get("TWINKLE_PICTURES"):
        page.screenshot(path=f"{folder}/sidebar-{name}.png")


def _check_cell(page: Page) -> None:
    """The toolbar's button puts a cell into the notebook that trains when it is run."""
    page.click(".jp-SideBar li[data-id='filebrowser']")
    page.dblclick(".jp-DirListing-item >> text=n.ipynb")
    wait_for_notebook(page, 1)
    page.click("[data-jp-item-name='twinkle-train'] jp-button, [data-jp-item-name='twinkle-train']")
    page.click(f".jp-Open-Dialog .jp-DirListing-item >> text={FILE}")
    page.click(".jp-Dialog .jp-mod-accept")
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    wait_until(lambda: "%twinkle train" in cell.inner_text(), 10, "the cell")
    page.click(".jp-Notebook .jp-CodeCell .cm-content")
    page.keyboard.press("Control+End")
    page.keyboard.type("-cell --steps 20")
    page.keyboard.press("Shift+Enter")
    panel = ".jp-Notebook [data-twinkle-run][data-state='finished']"
    page.wait_for_selector(panel, timeout=60_000)
    show_sidebar(page)
    page.wait_for_selector(f"{RUN}[data-state='finished']", timeout=10_000)


def _check_kill(lab: Lab, page: Page) -> float:
    """It says that the service is gone, keeps what it knew, and is live again by itself."""
    numbers = [_step_of_running(page)]
    began = time.monotonic()
    os.kill(lab.service_pid(), signal.SIGKILL)
    page.wait_for_selector(f"{SIDEBAR} [data-phase='starting']", timeout=10_000)
    assert re.search("restarted|does not answer", page.inner_text(f"{SIDEBAR} [role='status']"))
    assert page.locator(RUN).count() == 3
    page.wait_for_selector(f"{SIDEBAR} [data-phase='ready']", timeout=60_000)
    seconds = time.monotonic() - began
    wait_until(lambda: _step_of_running(page) > numbers[0], 40, "going on after the kill")
    return seconds


def _step_of_running(page: Page) -> int:
    found = page.locator(f"{RUN}[data-state='running']")
    return int(found.first.get_attribute("data-step") or 0) if found.count() else 0


def _check_stop(page: Page) -> None:
    """Stopped by hand, it stays so and says how to begin."""
    page.click(f"{SIDEBAR} [data-action='stop-service']")
    page.click(".jp-Dialog .jp-mod-warn")
    page.wait_for_selector(f"{SIDEBAR} [data-phase='stopped']", timeout=30_000)
    page.wait_for_selector(f"{SIDEBAR} [data-action='start-service']")


def _check_xsrf(page: Page) -> None:
    """A page that has the cookie and not its secret changes nothing."""
    for route in ("service/start", "service/stop", "train", "api/runs/pirate/pause"):
        url = f"{BASE_URL}/twinkle-jupyter/{route}"
        ask = "url => fetch(url, { method: 'POST', body: '{}' }).then(answer => answer.status)"
        assert page.evaluate(ask, url) == 403, route
