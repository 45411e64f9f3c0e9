"""What 500 opens and closes of panels leave behind in the page, the Jupyter server and the service.

Outputs of a notebook in a real JupyterLab and Chromium over a real service: a run, several runs, a
sweep and the adapters in turn, after as many outputs of plain text, which leave JupyterLab's own.
A kernel's part of it is a test, `tests/notebook/test_kernel.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Bar, Row, finish, parse_options
from tests.client.live_service import LiveService
from tests.journeys.browser import open_browser, wait_for_notebook
from tests.journeys.conftest import LabStarter
from tests.journeys.panel_opens import PanelOpens
from tests.journeys.saved_panels import begin_run, begin_sweep, step_events, write_panels
from tests.tiny_model import build_tiny_model
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.notebook.adapter_panels import adapters_bundle, adapters_table
from twinkle_jupyter.notebook.panels import Bundle, run_bundle
from twinkle_jupyter.notebook.several_runs import runs_bundle
from twinkle_jupyter.notebook.snapshot import snapshot
from twinkle_jupyter.notebook.sweep_panels import sweep_bundle

NUM_OPENS = 500
_WARM_UP = 40
_ROUNDS = 3
#: Of each kind; the browser's own numbers and connections that are kept for the next request waver.
LIMITS = {
    "page_sockets": 0,
    "page_nodes": 200,
    "page_listeners": 50,
    "server_threads": 1,
    "server_connections": 3,
    "service_tasks": 3,
}


def bundles(service: LiveService, client: Client) -> list[Bundle]:
    """Return one output of each kind that is live by itself."""
    runs = [begin_run(service, client, f"pirate-{i}", 400) for i in range(3)]
    for number, run in enumerate(runs):
        service.append(run, *step_events(1, 50, seed=number))
    pictures = [
        (
            run,
            f"pirate-{number}",
            snapshot((one.id, one.entry) for one in client.events(run, follow=False)),
        )
        for number, run in enumerate(runs)
    ]
    adapters = client.adapters(details=True)
    return [
        run_bundle(*pictures[0]),
        runs_bundle(pictures),
        sweep_bundle(begin_sweep(service, client)),
        adapters_bundle(adapters, adapters_table(adapters, "")),
    ]


def measure(root: Path, chromium: str, count: int) -> list[Row]:
    """Return the growth of each number, and the time of one open and close."""
    model = build_tiny_model(root / "tiny")
    starter = LabStarter(root)
    try:
        with (
            LiveService(root / "service", model=model) as service,
            Client(service.connection) as client,
        ):
            os.environ["TWINKLE_URL"] = service.connection.url
            os.environ["TWINKLE_API_KEY"] = service.connection.api_key
            shown = bundles(service, client)
            lab = starter("--expose-app-in-browser")
            write_panels(lab, "panels.ipynb", [])
            with open_browser(chromium, root / "profile") as (context, watched):
                page = context.new_page()
                page.goto(f"{lab.url}/lab/tree/panels.ipynb?token={lab.token}&reset")
                wait_for_notebook(page, 1)
                idle = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
                page.wait_for_selector(idle, timeout=60_000, state="attached")
                page.wait_for_timeout(2_000)  # JupyterLab draws the notebook anew meanwhile
                opens = PanelOpens(page, lab, service)
                opens(shown, _WARM_UP)
                opens.texts(_WARM_UP)
                opens.texts(count)
                before = opens.held()
                # JupyterLab itself has 133 listeners more, once and at any time, with outputs of
                # text alone, too; what panels leave is there after each round.
                rounds, seconds = [], []
                for _ in range(_ROUNDS):
                    began = time.monotonic()
                    opens(shown, count)
                    seconds.append(time.monotonic() - began)
                    opens.texts(_WARM_UP)  # as before: the last output is held a while longer
                    after = opens.held()
                    rounds.append(after.growth_since(before))
                    before = after
                grown = {name: min(one[name] for one in rounds) for name in LIMITS}
                assert not watched.errors, watched.errors
    finally:
        starter.end_all()
    rows = [
        Row(
            f"{name.replace('_', ' ')} after {count}",
            more,
            "more",
            bar=Bar(LIMITS[name], "at most"),
        )
        for name, more in grown.items()
    ]
    return [*rows, Row("an open and close", 1e3 * min(seconds) / count, "ms")]


def main() -> int:
    options = parse_options(__doc__)
    chromium = shutil.which("chromium")
    assert chromium is not None, "Chromium is needed: apt-get install chromium"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TWINKLE_HOME"] = f"{folder}/home"
        os.environ["JUPYTER_RUNTIME_DIR"] = f"{folder}/runtime"
        Path(folder, "runtime").mkdir()
        rows = measure(Path(folder), chromium, 100 if options.quick else NUM_OPENS)
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
