"""Answers of one or more models, read at once and drawn as they grow."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import STARTING, TwinkleError
from twinkle_jupyter.notebook.cell_value import Answer, Answers, current_cell
from twinkle_jupyter.notebook.service_link import READY_S
from twinkle_jupyter.notebook.session import Session

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import AnswerPart, Client

#: The screen is brought up to date this often at most, in seconds.
DRAW_S = 0.05
#: Pause between two questions whether a base model is loaded, in seconds.
ASK_AGAIN_S = 0.5
#: Pieces of an answer that may wait to be drawn.
MAX_WAITING = 256


@dataclass(slots=True)
class StreamedAnswer:
    """One column: who answers, how, and how it ended."""

    column: int
    title: str
    model: str
    settings: Mapping[str, float]
    #: What has come and was not drawn; bounded, so that a fast model waits for the screen. A text
    #: says what is being done before it can be answered, None that nothing more comes.
    parts: queue.Queue[AnswerPart | TwinkleError | str | None] = field(
        default_factory=lambda: queue.Queue(MAX_WAITING)
    )
    end: AnswerPart | None = None
    error: TwinkleError | None = None
    is_over: bool = False
    #: What has come and is not on the screen.
    texts: list[str] = field(default_factory=list)
    #: What is being done before it can be answered.
    waits_for: str = ""
    #: All that has come.
    whole: str = ""

    @property
    def note(self) -> str:
        """Say in small print how the answer ended."""
        if self.error is not None:
            return ""
        if self.end is None:
            return "interrupted"
        version = (
            "base model" if self.end.version is None else f"weights of step {self.end.version}"
        )
        cut = ", cut at the limit" if self.end.finish_reason == "length" else ""
        return f"{version}, {self.end.num_tokens} tokens{cut}"

    def hand_over(
        self, part: AnswerPart | TwinkleError | str | None, cancelled: threading.Event
    ) -> None:
        """Give a part to whoever draws, waiting for room; does nothing once cancelled."""
        while not cancelled.is_set():
            try:
                self.parts.put(part, timeout=0.2)
            except queue.Full:
                continue
            return


def stream_answers(
    session: Session,
    client: Client,
    answers: Sequence[StreamedAnswer],
    messages: Sequence[Mapping[str, str]],
) -> Answer | Answers:
    """Read all answers at once, a thread each, and draw them from here; return what was said.

    Raises:
        TwinkleError: What an answer failed with, once the others are over.
    """
    cancelled = threading.Event()
    for answer in answers:
        threading.Thread(
            target=_read,
            args=(client, answer, messages, cancelled),
            name=f"twinkle-chat-{answer.model}",
            daemon=True,
        ).start()
    try:
        _await_first(session, answers)
        if any(answer.error is None for answer in answers):
            _draw(session, answers)
    except KeyboardInterrupt:
        if session.is_program:
            raise
        session.face.note("Interrupted before there was an answer.")
    finally:
        cancelled.set()
    for answer in answers:
        if answer.error is not None:
            raise answer.error
    first = answers[0].whole
    said = Answer(first) if len(answers) == 1 else Answers(answer.whole for answer in answers)
    said.said_in = current_cell()
    return said


def _await_first(session: Session, answers: Sequence[StreamedAnswer]) -> None:
    """Wait for the first piece of an answer, showing what is done until then."""
    with session.face.progress() as say:
        while not any(answer.texts or answer.is_over for answer in answers):
            for answer in answers:
                _take(answer)
                if answer.waits_for:
                    say(answer.waits_for)
            time.sleep(DRAW_S)


def _draw(session: Session, answers: Sequence[StreamedAnswer]) -> None:
    """Draw the answers as they grow; an interrupt ends them and leaves what came.

    A program gets the interrupt: it would take what came for the whole answer.
    """
    view = session.face.chat([answer.title for answer in answers])
    try:
        while True:
            for answer in answers:
                _take(answer)
                for text in answer.texts:
                    view.add(answer.column, text)
                answer.texts.clear()
            if all(answer.is_over for answer in answers):
                return
            view.draw()
            time.sleep(DRAW_S)
    except KeyboardInterrupt:
        if session.is_program:
            raise
    finally:
        view.finish([answer.note for answer in answers])


def _take(answer: StreamedAnswer) -> None:
    """Take what has come of an answer without waiting."""
    while not answer.parts.empty():
        part = answer.parts.get_nowait()
        if part is None:
            answer.is_over = True
        elif isinstance(part, str):
            answer.waits_for = part
        elif isinstance(part, TwinkleError):
            answer.error = part
        elif part.finish_reason is not None:
            answer.end = part
        else:
            answer.texts.append(part.text)
            answer.whole += part.text


def _read(
    client: Client,
    answer: StreamedAnswer,
    messages: Sequence[Mapping[str, str]],
    cancelled: threading.Event,
) -> None:
    """Hand over an answer as it comes; ask again while its base model is being loaded."""
    deadline = time.monotonic() + READY_S
    try:
        while not cancelled.is_set():
            try:
                # Leaving the loop drops the iterator, which closes the stream: the service stops.
                for part in client.sample(answer.model, messages, **answer.settings):
                    answer.hand_over(part, cancelled)
                    if cancelled.is_set():
                        break
            except TwinkleError as error:
                if error.code != STARTING or time.monotonic() > deadline:
                    answer.hand_over(error, cancelled)
                    return
                answer.hand_over(error.message.rstrip("."), cancelled)
                cancelled.wait(ASK_AGAIN_S)
            else:
                return
    finally:
        # Whoever draws waits for this, so it also follows what nobody expected.
        answer.hand_over(None, cancelled)
