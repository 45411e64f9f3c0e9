"""How long from a step in the log to its point on the screen, and what panels cost a kernel.

Eight runs of a tiny model at full speed on a real service, in a real JupyterLab and Chromium: in
one plot, and each in a panel of its own, all of which can be seen at once. With our extension,
which no kernel has to do with, and without it, where the kernel feeds the panels over comms. A
point is on the screen when the browser has painted the frame that has it; one that never got there
counts as painted at the end of the measurement.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import psutil
from playwright.sync_api import Page

from benchmarks.pixel_latency import latencies_of
from benchmarks.report import Bar, Row, finish, parse_options
from tests.journeys.browser import open_browser, open_notebook, run_cell, write_notebook
from tests.journeys.conftest import Lab, LabStarter, wait_until
from tests.tiny_model import build_tiny_model

NUM_RUNS = 8
PIXEL_MS = 250.0
KERNEL_PERCENT = 10.0
_EXTENSION = "twinkle-jupyter"
_CELLS = (
    "%load_ext twinkle_jupyter\n%twinkle start",
    "from twinkle_jupyter import twinkle\n"
    f"for i in range({NUM_RUNS}):\n"
    "    twinkle.train('self_cognition', adapter=f'r{i}', steps=50_000, batch_size=1,"
    " max_length=64, checkpoint_every=5_000)",
    "%twinkle show " + " ".join(f"r{i}" for i in range(NUM_RUNS)),
    "\n".join(f"%twinkle show r{i}" for i in range(NUM_RUNS)),
)
#: What opening the panels costs browser and kernel is over by then: it is not measured here.
_SETTLE_MS = 3_000
#: Pixels that are enough for all panels at once.
_WALL = (1000, 7500)
#: Notes when each step's point was painted first: by run, by step, in milliseconds since 1970.
_WATCH = """
() => {
  const seen = (window.twinkleSeen = {});
  const look = () => {
    const fresh = [];
    for (const panel of document.querySelectorAll('[data-twinkle-run]')) {
      const host = panel.querySelector('.jp-twinkle-plot-canvas');
      const steps = (host && host.twinkleSteps) || [];
      const run = (seen[panel.dataset.twinkleRun] ??= {});
      for (let i = steps.length - 1; i >= 0 && run[steps[i]] === undefined; i--) {
        run[steps[i]] = 0;
        fresh.push([run, steps[i]]);
      }
    }
    const shared = document.querySelector('[data-twinkle-runs] .jp-twinkle-plot-canvas');
    for (const [id, newest] of Object.entries((shared && shared.twinkleNewest) || {})) {
      const run = (seen[id] ??= {});
      for (let step = newest; step > 0 && run[step] === undefined; step--) {
        run[step] = 0;
        fresh.push([run, step]);
      }
    }
    if (fresh.length > 0) {
      const after = new MessageChannel();
      after.port1.onmessage = () => fresh.forEach(([run, step]) => (run[step] = Date.now()));
      after.port2.postMessage(0);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
"""


def measure(root: Path, chromium: str, *, has_extension: bool, seconds: float) -> list[Row]:
    """Return latency and the kernel's share of a core, of one way to the panels."""
    starter = LabStarter(root)
    try:
        lab = starter(without="" if has_extension else _EXTENSION)
        write_notebook(lab, "runs.ipynb", _CELLS)
        with open_browser(chromium, root / "profile") as (context, watched):
            page = open_notebook(context, lab, "runs.ipynb", len(_CELLS))
            page.keyboard.press("Control+b")
            for number in range(2):
                run_cell(page, number)
            rows = []
            if has_extension:  # without it several runs in one plot are a picture
                run_cell(page, 2)
                wait_until(lambda: _num_points(page, "runs") >= 10 * NUM_RUNS, 120, "all curves")
                rows += _watch(lab, page, f"one plot of {NUM_RUNS}", seconds)
            page.set_viewport_size({"width": _WALL[0], "height": _WALL[1]})
            run_cell(page, 3)
            wait_until(lambda: _num_panels(page) == NUM_RUNS, 120, "all panels")
            way = "panels" if has_extension else "panels as widgets"
            rows += _watch(lab, page, f"{NUM_RUNS} {way}", seconds)
            assert not watched.errors, watched.errors
    finally:
        starter.end_all()
    return rows


def _watch(lab: Lab, page: Page, what: str, seconds: float) -> list[Row]:
    page.evaluate(_WATCH)
    page.wait_for_timeout(_SETTLE_MS)
    began, used = datetime.now(tz=UTC), _kernel_seconds(lab)
    page.wait_for_timeout(1e3 * seconds)
    ended, cpu = datetime.now(tz=UTC), _kernel_seconds(lab) - used
    seen = cast("dict[str, dict[str, float]]", page.evaluate("window.twinkleSeen"))
    assert len(seen) == NUM_RUNS, sorted(seen)
    latencies = sorted(
        late
        for run, steps in seen.items()
        for late in latencies_of(_written(lab, run), steps, began, ended, PIXEL_MS)
    )
    p95 = latencies[int(0.95 * len(latencies))]
    spread = (latencies[0], latencies[-1])
    share = 100 * cpu / (ended - began).total_seconds()
    return [
        Row(f"{what}: step to pixel, p95", p95, "ms", spread, bar=Bar(PIXEL_MS, "at most")),
        Row(f"{what}: step to pixel, median", statistics.median(latencies), "ms", spread),
        Row(f"{what}: steps taken", len(latencies) / seconds, "/s"),
        Row(f"{what}: kernel CPU", share, "%", bar=Bar(KERNEL_PERCENT, "at most")),
    ]


def _num_points(page: Page, kind: str) -> int:
    """Return how many points a panel of this kind has been given."""
    script = "k => Number(document.querySelector(`[data-twinkle-${k}]`)?.dataset.points ?? 0)"
    return int(page.evaluate(script, kind))


def _num_panels(page: Page) -> int:
    """Return how many panels are on the screen with points."""
    return int(
        page.evaluate(
            "() => [...document.querySelectorAll('[data-twinkle-run]')]"
            ".filter(e => Number(e.dataset.points) >= 10).length"
        )
    )


def _kernel_seconds(lab: Lab) -> float:
    """Return the processor time of the only kernel."""
    [kernel] = [one for one in lab.processes() if "ipykernel_launcher" in " ".join(one.cmdline())]
    times = psutil.Process(kernel.pid).cpu_times()
    return float(times.user + times.system)


def _written(lab: Lab, run: str) -> dict[int, datetime]:
    """Return when each step's entry was made."""
    answer = lab.api("GET", f"/twinkle-jupyter/api/runs/{run}/events?follow=false")
    entries = [json.loads(line[6:]) for line in answer.text.splitlines() if line[:6] == "data: "]
    return {
        one["step"]: datetime.fromisoformat(one["at"]) for one in entries if one["kind"] == "step"
    }


def main() -> int:
    options = parse_options(__doc__)
    chromium = shutil.which("chromium")
    assert chromium is not None, "Chromium is needed: apt-get install chromium"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["TWINKLE_BASE_MODEL"] = str(build_tiny_model(root / "tiny"))
        for has_extension in (True, False):
            place = root / str(has_extension)
            place.mkdir()
            seconds = 5.0 if options.quick else 15.0
            rows += measure(place, chromium, has_extension=has_extension, seconds=seconds)
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
