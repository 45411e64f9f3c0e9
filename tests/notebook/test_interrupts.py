"""What waits, interrupted: a cell is told that it is detached, a program stops."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import cast

import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.client.client import AnswerPart, Client
from twinkle_jupyter.client.sinks.feed_thread import FeedThread
from twinkle_jupyter.notebook import metric_verbs, run_verbs, service_verbs, sweep_verbs
from twinkle_jupyter.notebook.answer_stream import StreamedAnswer, stream_answers
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Session, Table
from twinkle_jupyter.notebook.snapshot import Snapshot
from twinkle_jupyter.store.records import PhaseRow

HI = [{"role": "user", "content": "Hi"}]


class InterruptedFace:
    """Somebody interrupts as soon as there is something to see; nothing is shown."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.endings: list[str] = []
        self._was_drawn = False

    def note(self, text: str) -> None:
        self.notes.append(text)

    def text(self, text: str) -> None:
        raise AssertionError(text)

    def table(self, table: Table) -> None:
        raise AssertionError(table)

    def panel(self, run: RunHandle) -> None:
        del run

    def progress(self) -> AbstractContextManager[Callable[[str], None]]:
        return self._waiting()

    def follow(self, run: RunHandle) -> AbstractContextManager[Callable[[Snapshot], None]]:
        del run
        return nullcontext(self._tell)

    def place(self, key: str) -> Callable[[Mapping[str, object]], None]:
        del key
        self._was_drawn = False
        return self._draw

    def chat(self, titles: Sequence[str]) -> InterruptedFace:
        del titles
        return self

    def add(self, column: int, text: str) -> None:
        del column, text

    def draw(self) -> None:
        raise KeyboardInterrupt

    def finish(self, notes: Sequence[str]) -> None:
        self.endings += notes

    def _draw(self, _: Mapping[str, object]) -> None:
        if self._was_drawn:
            raise KeyboardInterrupt
        self._was_drawn = True

    @contextmanager
    def _waiting(self) -> Iterator[Callable[[str], None]]:
        def say(text: str) -> None:
            raise KeyboardInterrupt(text)

        yield say

    def _tell(self, _: Snapshot) -> None:
        raise KeyboardInterrupt


class InterruptedFeed:
    """Feeds a logger for as long as nobody interrupts, which somebody does at once."""

    failure = None

    def is_alive(self) -> bool:
        return True

    def join(self) -> None:
        raise KeyboardInterrupt

    def stop(self) -> None:
        """Feed no more."""


class SlowModel:
    """Says a piece and does not end."""

    def sample(self, *_: object, **__: object) -> Generator[AnswerPart, None, None]:
        while True:
            yield AnswerPart("Arr", None)


@pytest.fixture
def face() -> InterruptedFace:
    return InterruptedFace()


@pytest.fixture
def session(
    face: InterruptedFace, live: LiveService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.chdir(tmp_path)
    live.call(live.store.put(PhaseRow.KEY, PhaseRow("starting", "Loading it").to_row()))
    session = Session(face, ServiceLink())
    session.service.running().start_sweep("kit", {"rank": [2, 4]}, RECORDS)
    yield session
    session.service.close()


def _wait_for_sweep(session: Session) -> object:
    return sweep_verbs.show(session, Namespace(name=["kit"], wait=True))


def _wait_for_run(session: Session) -> object:
    return run_verbs.show(session, Namespace(name=["kit-r2"], wait=True))


def _feed(session: Session) -> None:
    run_id = session.service.running().run("kit-r2").run_id
    session.feeds["tensorboard", run_id] = cast("FeedThread", InterruptedFeed())
    asked = Namespace(name="kit-r2", to="tensorboard", folder="runs", wait=True)
    metric_verbs.metrics(session, asked)


def _answer(session: Session) -> object:
    client = cast("Client", SlowModel())
    return stream_answers(session, client, [StreamedAnswer(0, "a", "a", {})], HI)


def _start(session: Session) -> None:
    service_verbs.start(session, Namespace())


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (_wait_for_sweep, "Detached: sweep kit goes on."),
        (_wait_for_run, "Detached: the run of kit-r2 goes on."),
        (_feed, "tensorboard has kit-r2."),
        (_answer, "interrupted"),
        (_start, "Detached: the service goes on starting."),
    ],
)
def test_a_cell_is_detached_and_a_program_stops(
    wait: Callable[[Session], object],
    said: str,
    session: Session,
    face: InterruptedFace,
) -> None:
    wait(session)
    assert any(text.startswith(said) for text in (*face.notes, *face.endings))
    session.is_program = True
    with pytest.raises(KeyboardInterrupt):
        wait(session)
