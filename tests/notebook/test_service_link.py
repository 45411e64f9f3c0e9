"""What cells hold when the service comes back elsewhere."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.notebook.panel_feed import PanelFeed
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Face


def test_a_run_of_an_older_cell_goes_on_with_the_service_that_a_newer_one_found(
    tmp_path: Path,
) -> None:
    link = ServiceLink()
    with LiveService(tmp_path / "home"):
        client = link.running()
        body = client.start_run({"adapter": "pirate", "steps": 3}, RECORDS)
        run = RunHandle(client, body.run_id, body.adapter, cast("Face", None))
    with LiveService(tmp_path / "home"):
        newer = link.running()
        assert newer.run("pirate").run_id == run.run_id
        assert run.state == "queued"
        assert link.running() is newer

        sent: queue.Queue[Mapping[str, object]] = queue.Queue()
        PanelFeed(run, sent.put).take({"type": "command", "command": "pause"})
        said = sent.get(timeout=5)
        assert said == {"type": "command-result", "command": "pause", "error": None}
        assert newer.run("pirate").wanted == "paused"
        client.close()
        link.close()
