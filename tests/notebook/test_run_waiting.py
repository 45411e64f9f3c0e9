"""What is told while somebody waits for a run and the service is away."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

import pytest

from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.event_stream import EventStream, LinkState
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.notebook import sweep_verbs
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.run_waiting import follow_to_end, link_shown
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Face, Session
from twinkle_jupyter.notebook.snapshot import Snapshot
from twinkle_jupyter.notebook.sweep_verbs import SweepHandle


class WaitingFace:
    """Writes down what is waited for, and that it no longer is."""

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.said: list[str] = []
        self._told = told

    def follow(self, run: RunHandle) -> AbstractContextManager[Callable[[Snapshot], None]]:
        del run
        return nullcontext(lambda _: None)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        def say(text: str) -> None:
            self.said.append(text)
            self._told()

        yield say
        self.said.append("")


class AwayClient:
    """Of a service that is nowhere."""

    stream: EventStream

    def events(
        self, run: str, *, on_link: Callable[[LinkState, str], None] | None = None
    ) -> EventStream:
        self.stream = EventStream(lambda: None, run, on_link=on_link)
        return self.stream

    def stop(self) -> None:
        self.stream.stop()


def test_a_service_that_is_away_is_told_while_a_run_is_waited_for() -> None:
    client = AwayClient()
    face = WaitingFace(told=client.stop)
    run = RunHandle(cast("Client", client), "run_a", "pirate", cast("Face", face))

    follow_to_end(cast("Face", face), run)

    assert face.said == ["The training service is not running. Waiting for it", ""]


def test_a_service_that_is_away_is_told_while_a_sweep_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweep_verbs, "POLL_S", 0)
    face, away = WaitingFace(), ServiceUnavailableError("It is away.")
    found: list[Exception | str] = ["running", away, away, "running", "finished"]

    def draw() -> Namespace:
        state = found.pop(0)
        if isinstance(state, Exception):
            raise state
        return Namespace(state=state)

    handle = cast("SweepHandle", Namespace(drawing=lambda: draw))
    session = Session(cast("Face", face), ServiceLink())

    assert sweep_verbs._show(session, handle, wait=True) is handle
    assert face.said == ["It is away. Waiting for it", ""]
    assert found == []


def test_it_is_told_once_and_no_longer_when_the_service_is_back() -> None:
    face = WaitingFace()
    with link_shown(cast("Face", face)) as on_link:
        on_link("live", "")
        on_link("waiting", "It is away.")
        on_link("waiting", "It is away.")
        on_link("live", "")
        on_link("waiting", "Again.")

    assert face.said == ["It is away. Waiting for it", "", "Again. Waiting for it", ""]
