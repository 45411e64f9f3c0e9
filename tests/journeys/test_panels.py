"""Every panel in a real JupyterLab and Chromium, over a real service, without a kernel.

The notebook's outputs are what a saved notebook holds. The service is the whole application in a
thread, with the tiny model; run logs grow as a driver would let them.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest
from playwright.sync_api import Page

from tests.client.live_service import LiveService
from tests.journeys.browser import Watched, open_browser, wait_for_notebook
from tests.journeys.conftest import Lab, LabStarter, wait_until
from tests.journeys.panel_looks import check_looks, show
from tests.journeys.saved_panels import (
    begin_run,
    begin_sweep,
    ribbon_bundle,
    step_events,
    write_panels,
)
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.notebook.adapter_panels import adapters_bundle, adapters_table
from twinkle_jupyter.notebook.chat_panels import CHAT_MIME, chat_bundle
from twinkle_jupyter.notebook.panels import run_bundle
from twinkle_jupyter.notebook.several_runs import runs_bundle
from twinkle_jupyter.notebook.snapshot import Snapshot, snapshot
from twinkle_jupyter.notebook.sweep_panels import sweep_bundle
from twinkle_jupyter.runs.events import RunEvent
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.sweeps import SweepBody

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(240)]

NUM_RUNS = 64
NUM_UPDATES = 500
#: The issue's bar, of one redraw of 64 curves.
_SCRIPT_MS = 16.0
_RUN, _RUNS = "[data-twinkle-run]", "[data-twinkle-runs]"
_TOKENS, _CHAT = "[data-twinkle-tokens]", "[data-twinkle-chat='new']"
_SWEEP, _ADAPTERS = "[data-twinkle-sweep]", "[data-twinkle-adapters]"
_CHAT_KEPT = "[data-twinkle-chat='kept']"
#: Counts shifts in our panels, and times what a timer does that brings new points to many curves.
_WATCH = """
window.twinkleShifts = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    const nodes = entry.sources.map(s => s.node).filter(n => n && n.nodeType === 1);
    const ours = nodes.filter(n => n.closest('.jp-twinkle-output'));
    if (ours.length > 0) window.twinkleShifts += entry.value;
  }
}).observe({ type: 'layout-shift', buffered: true });
window.twinkleRedraws = [];
const later = window.setTimeout;
window.setTimeout = (act, ms, ...rest) => later(() => {
  const panel = document.querySelector('[data-twinkle-runs]');
  const before = panel && panel.dataset.points;
  const began = performance.now();
  if (typeof act === 'function') act(...rest);
  const took = performance.now() - began;
  if (panel && panel.dataset.points !== before) window.twinkleRedraws.push(took);
}, ms);
"""


def test_every_panel_works_looks_right_and_keeps_still(
    live_service: LiveService, start_lab: LabStarter, chromium: str, tmp_path: Path
) -> None:
    service = live_service
    figures: dict[str, float] = {}
    with Client(service.connection) as client:
        runs = [begin_run(service, client, f"pirate-{i}", 600) for i in range(NUM_RUNS)]
        _append(service, runs[0], step_events(1, 100))
        lab = start_lab()
        write_panels(lab, "panels.ipynb", _bundles(client, runs, begin_sweep(service, client)))
    with open_browser(chromium, tmp_path / "profile") as (context, watched):
        context.add_init_script(_WATCH)
        page = context.new_page()
        page.goto(f"{lab.url}/lab/tree/panels.ipynb?token={lab.token}&reset")
        wait_for_notebook(page, 1)
        page.keyboard.press("Control+b")
        _check_run(service, page, runs[0], figures)
        _check_many(service, page, runs, figures)
        _check_sweep(page)
        _check_adapters(page)
        _check_tokens(page)
        _check_chat(page)
        _check_preference(lab, page)
        check_looks(page, (_RUN, _RUNS, _SWEEP, _ADAPTERS, _TOKENS, _CHAT))
    sys.stdout.write(f"{json.dumps(figures)}\n")
    _check_quiet(watched)
    assert figures["layout shift"] == 0
    assert figures["median ms of a redraw"] <= _SCRIPT_MS


def _bundles(client: Client, runs: list[str], sweep: SweepBody) -> list[Mapping[str, object]]:
    view = ribbon_bundle(client)
    adapters = client.adapters(details=True)
    pictures = [(run, f"pirate-{i}", _picture(client, run)) for i, run in enumerate(runs)]
    return [
        run_bundle(*pictures[0]),
        runs_bundle(pictures),
        sweep_bundle(sweep),
        adapters_bundle(adapters, adapters_table(adapters, "")),
        view,
        _chat("new", []),
        _chat("kept", [{"prompt": "Who?", "answers": _ANSWERS}]),
    ]


_ANSWERS = [
    {"model": "pirate-0", "text": "Arr!", "note": "step 40, 2 tokens", "is_whole": True},
    {"model": "base", "text": "SmolLM.", "note": "base model, 3 tokens", "is_whole": True},
]


def _chat(chat_id: str, turns: list[object]) -> Mapping[str, object]:
    bundle = chat_bundle(["base", "base"], "", {"max_tokens": 12, "temperature": 1.0})
    content = cast("dict[str, object]", bundle[CHAT_MIME])
    return {**bundle, CHAT_MIME: {**content, "chat_id": chat_id, "turns": turns}}


def _picture(client: Client, run: str) -> Snapshot:
    return snapshot((event.id, event.entry) for event in client.events(run, follow=False))


def _check_run(service: LiveService, page: Page, run: str, figures: dict[str, float]) -> None:
    """Five hundred steps move nothing; a step under the pointer tells its probe's answer."""
    show(page, _RUN)
    page.wait_for_selector(f"{_RUN}[data-connection='live'] canvas", timeout=20_000)
    page.wait_for_timeout(500)
    page.evaluate("window.twinkleShifts = 0")
    for first in range(101, 101 + NUM_UPDATES, 10):
        _append(service, run, step_events(first, first + 9))
    wait_until(lambda: _data(page, _RUN)["points"] == "600", 30, "600 points")
    figures["layout shift"] = float(page.evaluate("window.twinkleShifts"))
    page.check(f"{_RUN} [data-entry='log']")
    page.select_option(f"{_RUN} [data-entry='curve']", "learning_rate")
    wait_until(lambda: "Learning rate" in _plot_label(page), 5, "another curve")
    page.select_option(f"{_RUN} [data-entry='curve']", "loss")
    box = page.locator(f"{_RUN} .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(f"{_RUN} .jp-twinkle-tip", timeout=5_000)
    tip = page.inner_text(f"{_RUN} .jp-twinkle-tip")
    assert "Train loss" in tip
    assert "Who are you? step" in tip
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.click(f"{_RUN} .jp-twinkle-steer-title")
    assert int(page.input_value(f"{_RUN} [data-entry='fork-step']")) % 20 == 0


def _check_many(
    service: LiveService, page: Page, runs: list[str], figures: dict[str, float]
) -> None:
    """Sixty-four curves are drawn anew within the time of a frame."""
    show(page, _RUNS)
    for first in (1, 26, 51, 76):
        for number, run in enumerate(runs[1:], start=1):
            _append(service, run, step_events(first, first + 24, seed=number))
    total = 600 + 100 * (NUM_RUNS - 1)
    wait_until(lambda: int(_data(page, _RUNS)["points"]) == total, 60, "all points of all runs")
    redraws = page.evaluate("window.twinkleRedraws")
    assert len(redraws) >= 5
    figures["median ms of a redraw"] = statistics.median(redraws)
    figures["redraws"] = len(redraws)
    page.uncheck(f"{_RUNS} tbody tr:first-child input")


def _check_sweep(page: Page) -> None:
    """Arrow keys read all losses of a step; a heading sorts; a tick takes a curve out."""
    show(page, _SWEEP)
    page.wait_for_selector(f"{_SWEEP}[data-connection='live'] canvas", timeout=20_000)
    assert _data(page, _SWEEP)["curves"] == "4"
    page.focus(f"{_SWEEP} .jp-twinkle-plot")
    page.keyboard.press("ArrowLeft")
    assert "kit-lr1e-3-r8" in page.inner_text(f"{_SWEEP} .jp-twinkle-tip")
    page.click(f"{_SWEEP} [data-sort='rank']")
    assert page.get_attribute(f"{_SWEEP} th >> nth=3", "aria-sort") == "ascending"
    page.click(f"{_SWEEP} [data-sort='#']")
    assert "★" in page.inner_text(f"{_SWEEP} tbody tr >> nth=0")
    page.uncheck(f"{_SWEEP} tbody tr >> nth=0 >> input")
    page.check(f"{_SWEEP} tbody tr >> nth=0 >> input")


def _check_adapters(page: Page) -> None:
    """Every adapter is there and can be had as code; what has no weights cannot be exported."""
    show(page, _ADAPTERS)
    page.wait_for_selector(f"{_ADAPTERS}[data-connection='live']", timeout=20_000)
    assert _data(page, _ADAPTERS)["adapters"] == str(NUM_RUNS + 4)
    row = f"{_ADAPTERS} [data-adapter='pirate-0']"
    assert page.is_disabled(f"{row} [data-action='export']")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click(f"{row} [data-action='copy-code']")
    wait_until(lambda: "asks pirate-0" in page.inner_text(_ADAPTERS), 5, "copying")
    assert 'adapter("pirate-0")' in page.evaluate("navigator.clipboard.readText()")


def _append(service: LiveService, run: str, events: Sequence[RunEvent]) -> None:
    """Let a run's log grow by all of these at once."""
    service.call(service.store.append_all(RunRow.log(run), [e.to_entry() for e in events]))


def _check_tokens(page: Page) -> None:
    """Rule and length change what is learned; arrow keys read single tokens."""
    show(page, _TOKENS)
    every = int(_data(page, _TOKENS)["learned"])
    page.select_option(f"{_TOKENS} [data-entry='loss-mask']", "last-assistant")
    wait_until(lambda: 0 < int(_data(page, _TOKENS)["learned"]) < every, 10, "another rule")
    page.fill(f"{_TOKENS} [data-entry='max-length']", "9")
    page.keyboard.press("Enter")
    wait_until(lambda: _data(page, _TOKENS)["learned"] == "0", 10, "another length")
    page.focus(f"{_TOKENS} [role='listbox']")
    page.keyboard.press("End")
    details = page.inner_text(f"{_TOKENS} .jp-twinkle-token-details")
    assert "with pirate-0" in details
    assert _data(page, _TOKENS)["shading"] == "change"
    page.select_option(f"{_TOKENS} [data-entry='shading']", "role")
    count = _data(page, _TOKENS)["tokens"]
    assert f"token {count} of {count}" in details
    assert "cut" in details


def _check_chat(page: Page) -> None:
    """Two answers side by side, as they are written; what cannot answer says why."""
    show(page, _CHAT)
    page.focus(f"{_CHAT} [data-entry='question']")
    page.keyboard.type("Who are you?")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{_CHAT}[data-turns='1'][data-writing='false']", timeout=30_000)
    bubbles = page.locator(f"{_CHAT} .jp-twinkle-bubble")
    assert bubbles.count() == 2
    # The same model, the same seed: no preference between equal answers.
    first, second = (bubbles.nth(i).locator(".jp-twinkle-answer").inner_text() for i in (0, 1))
    assert first == second != ""
    page.click(f"{_CHAT} summary")
    page.fill(f"{_CHAT} [data-entry='models']", "base, pirate-0@20")
    page.fill(f"{_CHAT} [data-entry='question']", "Who are you?")
    page.press(f"{_CHAT} [data-entry='question']", "Enter")
    wait_until(lambda: "no checkpoint" in page.inner_text(_CHAT), 20, "a refusal in a sentence")
    page.click(f"{_CHAT} summary")


def _check_preference(lab: Lab, page: Page) -> None:
    """One thumb of two makes a row beside the notebook."""
    page.click(f"{_CHAT_KEPT} [data-action='vote-up'] >> nth=0")
    path = lab.folder / "preferences.jsonl"
    wait_until(lambda: path.exists() and path.read_text(), 10, "keeping a preference")
    row = json.loads(path.read_text(encoding="utf-8"))
    assert row == {
        "prompt": [{"role": "user", "content": "Who?"}],
        "chosen": [{"role": "assistant", "content": "Arr!"}],
        "rejected": [{"role": "assistant", "content": "SmolLM."}],
    }


def _check_quiet(watched: Watched) -> None:
    assert not watched.external
    # The browser's own words about the adapter's step that was to be refused.
    errors = [text for text in watched.errors if "404" not in text]
    assert not errors, errors


def _plot_label(page: Page) -> str:
    return page.locator(f"{_RUN} .jp-twinkle-plot").get_attribute("aria-label") or ""


def _data(page: Page, panel: str) -> dict[str, str]:
    found = page.evaluate("s => ({...document.querySelector(s).dataset})", panel)
    numbers: dict[str, str] = found
    return numbers
