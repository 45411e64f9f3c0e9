"""A run's events over restarts of the service, none lost and none twice."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.client.client import Client, connect
from twinkle_jupyter.client.event_stream import EventStream, RunEventRecord
from twinkle_jupyter.client.sse import Frame, FrameParser
from twinkle_jupyter.errors import NotAllowedError, NotFoundError
from twinkle_jupyter.runs.events import EvalDone, StateChanged


class Reader:
    """Reads a stream in a thread, as a panel does."""

    def __init__(self, stream: EventStream) -> None:
        self.stream = stream
        self.seen: queue.Queue[RunEventRecord] = queue.Queue()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        for event in self.stream:
            self.seen.put(event)

    def take(self, count: int) -> list[int]:
        return [self.seen.get(timeout=10).id for _ in range(count)]

    def end(self) -> None:
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.seen.empty()


def _loss(step: int) -> EvalDone:
    return EvalDone(step=step, loss=1.0)


def _start(client: Client) -> str:
    return client.start_run({"adapter": "pirate", "steps": 40}, RECORDS).run_id


def test_a_restart_on_another_port_repeats_nothing_and_skips_nothing(tmp_path: Path) -> None:
    links: list[str] = []
    with LiveService(tmp_path / "home") as first, connect() as client:
        run_id = _start(client)
        stream = client.events(run_id, on_link=lambda link, _: links.append(link))
        reader = Reader(stream)
        first.append(run_id, *map(_loss, range(5)))
        assert reader.take(6) == [1, 2, 3, 4, 5, 6]
    with LiveService(tmp_path / "home") as second:
        started = time.monotonic()
        assert second.connection.url != first.connection.url
        second.append(run_id, *map(_loss, range(3)))
        assert reader.take(3) == [7, 8, 9]
        assert time.monotonic() - started < 5
        second.append(run_id, StateChanged(state="finished", step=40))
        assert reader.take(1) == [10]
        reader.end()
    assert links == ["live", "waiting", "live"]


def test_a_reader_goes_on_where_it_was_and_ends_with_the_run(tmp_path: Path) -> None:
    with LiveService(tmp_path / "home") as live, connect() as client:
        run_id = _start(client)
        live.append(run_id, _loss(1), StateChanged(state="stopped", step=1))
        assert [event.id for event in client.events("pirate")] == [1, 2, 3]
        assert [event.id for event in client.events(run_id, after=1)] == [2, 3]
        assert list(client.events(run_id, after=3)) == []  # it has the end already
        event = next(iter(client.events(run_id, after=1)))
        assert {key: event.entry[key] for key in ("kind", "step", "loss")} == {
            "kind": "eval", "step": 1, "loss": 1.0,
        }  # fmt: skip


def test_without_following_it_ends_when_all_was_sent(tmp_path: Path) -> None:
    with LiveService(tmp_path / "home") as live, connect() as client:
        run_id = _start(client)
        live.append(run_id, *map(_loss, range(600)))
        ids = [event.id for event in client.events(run_id, follow=False)]
    assert ids == list(range(1, 602))


def test_stop_ends_a_reader_that_waits_in_another_thread(tmp_path: Path) -> None:
    with LiveService(tmp_path / "home") as _, connect() as client:
        reader = Reader(client.events(_start(client)))
        assert reader.take(1) == [1]
        started = time.monotonic()
        reader.stream.stop()
        reader.end()
        assert time.monotonic() - started < 1
    away = Reader(EventStream(lambda: None, "run_x"))
    away.stream.stop()
    away.end()


def test_an_unknown_run_and_a_wrong_key_end_it_with_a_sentence(tmp_path: Path) -> None:
    with LiveService(tmp_path / "home") as live, connect() as client:
        with pytest.raises(NotFoundError, match="There is no run or adapter 'run_x'"):
            list(client.events("run_x"))
        wrong = type(live.connection)(live.connection.url, "tml-wrong")
        with pytest.raises(NotAllowedError, match="does not take this API key"):
            list(EventStream(lambda: wrong, "run_x"))


def test_frames_are_read_as_the_standard_says() -> None:
    text = (
        ": hi\nid: 7\nevent: step\ndata: {\ndata:  }\n\nretry: 3\n\ndata: x\n\nevent: cut\ndata: y"
    )
    frames = [frame for frame in map(FrameParser().feed, text.split("\n")) if frame is not None]
    assert frames == [Frame("step", "{\n }", "7"), Frame("message", "x", "")]
