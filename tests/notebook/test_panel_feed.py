"""What a panel without our server extension may ask of its run."""

from __future__ import annotations

import json
import queue
from collections.abc import Mapping
from typing import cast

import httpx
import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.commands import RunCommands
from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.notebook.panel_feed import PanelFeed, obey
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.session import Face
from twinkle_jupyter.runs.events import EvalDone
from twinkle_jupyter.wire.native import CheckpointBody, RunBody

RUN = RunBody(
    run_id="run_a",
    adapter="a",
    state="running",
    wanted="running",
    reason="",
    step=1,
    total_steps=9,
    loss=None,
    config={},
    checkpoint="",
    checkpoint_folder="",
    created_at="",
    updated_at="",
    last_event_id=1,
)
KEPT = CheckpointBody(
    step=1,
    name="step-000001",
    folder="/f",
    size_bytes=1,
    created_at="",
    is_best=False,
    label="",
    expires_at="",
)


class Told(RunCommands):
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        self.calls.append((path, json.loads(content) if content else None))
        answer = KEPT if path.endswith("/checkpoints") else RUN
        return httpx.Response(200, content=answer.model_dump_json())


def test_each_command_of_the_panel_reaches_the_client_with_its_body() -> None:
    told = Told()

    obey(told, "run_a", "pause", None)
    obey(told, "run_a", "resume", None)
    obey(told, "run_a", "stop", None)
    obey(told, "run_a", "stop", {"keep": "best"})
    obey(told, "run_a", "set", {"changes": {"learning_rate": 3e-4, "steps": 80}})
    obey(told, "run_a", "checkpoint", {})
    obey(told, "run_a", "fork", {"step": None, "adapter": "next", "changes": {}})

    assert told.calls == [
        ("/runs/run_a/pause", None),
        ("/runs/run_a/resume", None),
        ("/runs/run_a/stop", {"keep": "last"}),
        ("/runs/run_a/stop", {"keep": "best"}),
        ("/runs/run_a/set", {"changes": {"learning_rate": 3e-4, "steps": 80}}),
        ("/runs/run_a/checkpoints", {"name": "", "ttl_seconds": None}),
        ("/runs/run_a/fork", {"step": None, "adapter": "next", "changes": {}}),
    ]


@pytest.mark.parametrize(
    ("command", "body"), [("erase", None), ("set", {"changes": 3}), ("set", None), ("fork", {})]
)
def test_what_is_no_command_is_refused(command: str, body: object) -> None:
    told = Told()
    with pytest.raises(InvalidDataError, match=command):
        obey(told, "run_a", command, body)
    assert told.calls == []


def test_a_command_that_nobody_expected_to_fail_has_an_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: queue.Queue[Mapping[str, object]] = queue.Queue()
    told = cast("Client", Told())
    feed = PanelFeed(RunHandle(told, "run_a", "pirate", cast("Face", None)), sent.put)

    with caplog.at_level("INFO"):
        feed.take({"type": "command", "command": "set", "body": {"changes": {"steps": 1j}}})
        said = sent.get(timeout=5)

    assert (said["type"], said["command"]) == ("command-result", "set")
    error = cast("Mapping[str, str]", said["error"])
    assert error["message"] == "The kernel could not answer: TypeError."
    assert "set was not done" in caplog.text


def test_views_of_several_pages_are_fed_from_the_position_of_the_one_furthest_behind(
    live: LiveService,
) -> None:
    sent: queue.Queue[Mapping[str, object]] = queue.Queue()
    with Client(live.connection) as client:
        run_id = client.start_run({"adapter": "pirate", "steps": 40}, RECORDS).run_id
        live.append(run_id, *(EvalDone(step=step, loss=1.0) for step in range(1, 5)))
        feed = PanelFeed(RunHandle(client, run_id, "pirate", cast("Face", None)), sent.put)

        feed.take({"type": "subscribe", "after": 0})
        assert _fed(sent) == ([1, 2, 3, 4, 5], 0)
        feed.take({"type": "unsubscribe"})
        assert sent.get(timeout=5) == {"type": "closed"}
        feed.take({"type": "subscribe", "after": 2})
        feed.take({"type": "subscribe", "after": 4})
        ids, after = _fed(sent)
        assert (ids[0], after) == (3, 2)
        feed.close()


def _fed(sent: queue.Queue[Mapping[str, object]]) -> tuple[list[int], object]:
    """Return the ids of events up to the fifth, and after which position they begin."""
    ids: list[int] = []
    begin: object = None
    while not ids or ids[-1] < 5:
        batch = sent.get(timeout=10)
        frames = cast("list[dict[str, object]]", batch["frames"])
        begin = batch["after"] if begin is None else begin
        ids += [cast("int", frame["id"]) for frame in frames if frame["type"] == "event"]
    return ids, begin
