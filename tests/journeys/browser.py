"""JupyterLab in a real Chromium, as far as the journeys need it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.journeys.conftest import Lab, wait_until

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: JupyterLab's own words about a kernel that a journey has just ended under it.
_ABOUT_ENDED_KERNELS = (
    "Could not restore the debugger state",
    "Comm not found for comm id",
    "Kernel is dead",
)
#: JupyterLab itself from a click to a rendered notebook, on two busy cores.
_OPEN_MS = 60_000


@dataclass
class Watched:
    """What the page asked for and complained about."""

    external: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self._ask(request.url))
        page.on("console", lambda message: self._say(message.type, message.text))
        # An uncaught error of JupyterLab's own is the same sentence by another way.
        page.on("pageerror", lambda error: self._say("error", str(error)))

    def _ask(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.external.append(url)

    def _say(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(_ABOUT_ENDED_KERNELS):
            self.errors.append(text)


@contextmanager
def open_browser(chromium: str, profile: Path) -> Iterator[tuple[BrowserContext, Watched]]:
    """A browser with a profile of its own; what its pages do is watched."""
    watched = Watched()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            args=CHROMIUM_ARGUMENTS,
            viewport={"width": 1280, "height": 900},
        )
        context.on("page", watched.watch)
        yield context, watched
        context.close()


def write_notebook(lab: Lab, name: str, cells: Sequence[str]) -> None:
    """Put a notebook of these code cells into the lab's folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    # Without it JupyterLab asks which kernel to use.
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab.folder / name)


def open_notebook(context: BrowserContext, lab: Lab, name: str, num_cells: int) -> Page:
    """Open a notebook in a new tab and wait until its cells are there and a kernel is idle."""
    page = context.new_page()
    page.goto(f"{lab.url}/lab/tree/{name}?token={lab.token}&reset")
    wait_for_notebook(page, num_cells)
    page.wait_for_selector(
        ".jp-Notebook-ExecutionIndicator[data-status='idle']", timeout=_OPEN_MS, state="attached"
    )
    # The indicator says idle before the kernel has answered for the first time.
    wait_until(lambda: _kernel_is_idle(lab), 60, "starting the kernel")
    return page


def wait_for_notebook(page: Page, num_cells: int) -> None:
    """Wait until the cells are drawn."""
    page.wait_for_function(
        "n => document.querySelectorAll('.jp-Notebook .jp-CodeCell .cm-content').length >= n",
        arg=num_cells,
        timeout=_OPEN_MS,
    )


def run_cell(page: Page, index: int) -> None:
    """Click into a cell and run it."""
    cell = f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}'] .cm-content"
    page.click(cell)
    page.keyboard.press("Shift+Enter")


def choose_theme(page: Page, name: str) -> None:
    """Choose a theme in the menu and wait until the page has it."""
    page.click(".lm-MenuBar-itemLabel:text-is('Settings')")
    page.hover(".lm-Menu-itemLabel:text-is('Theme')")
    page.click(f".lm-Menu-itemLabel:text-is('{name}')")
    page.wait_for_function(
        "name => document.body.dataset.jpThemeName === name", arg=name, timeout=10_000
    )


def panel_numbers(page: Page) -> dict[str, str]:
    """Return the panel's data attributes, empty when there is no panel."""
    found = page.evaluate(
        "() => { const e = document.querySelector('[data-twinkle-run]');"
        " return e ? JSON.stringify(e.dataset) : '{}'; }"
    )
    numbers: dict[str, str] = json.loads(found)
    return numbers


def drawn_steps(page: Page) -> list[int]:
    """Return the steps of the points that the plot was given to draw, in their order."""
    steps: list[int] = page.evaluate(
        "() => { const e = document.querySelector('[data-twinkle-run] .jp-twinkle-plot-canvas');"
        " return e && e.querySelector('canvas') ? Array.from(e.twinkleSteps || []) : []; }"
    )
    return steps


def _kernel_is_idle(lab: Lab) -> bool:
    answer = lab.api("GET", "/api/kernels")
    # While a kernel starts, Jupyter may answer with an error about it.
    kernels = answer.json() if answer.is_success else []
    return bool(kernels) and all(kernel["execution_state"] == "idle" for kernel in kernels)
