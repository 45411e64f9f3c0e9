"""Verbs that ask a model: chat, sample; and the list of adapters to ask."""

from __future__ import annotations

import queue
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import (
    STARTING,
    InvalidConfigError,
    TwinkleError,
)
from twinkle_jupyter.notebook.service_link import READY_S
from twinkle_jupyter.notebook.session import Session, Table

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import AnswerPart, Client

#: The screen is brought up to date this often at most, in seconds.
DRAW_S = 0.05
#: Pause between two questions whether a base model is loaded, in seconds.
ASK_AGAIN_S = 0.5
#: Pieces of an answer that may wait to be drawn.
MAX_WAITING = 256


def add_chat_arguments(parser: ArgumentParser) -> None:
    """Take a model, maybe another to compare with, and how to answer."""
    parser.add_argument("model", help="an adapter's name (also while it trains), or `base`")
    parser.add_argument(
        "prompt",
        nargs="*",
        default=[],
        help="the question; in a cell of its own it is the cell's body",
    )
    parser.add_argument("--compare", metavar="MODEL", help="a second model, side by side")
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before")
    parser.add_argument("--max-tokens", metavar="N", help="longest answer (if not set: 256)")
    parser.add_argument("--temperature", metavar="T", help="0, if not set, is the likeliest answer")
    parser.add_argument("--top-p", metavar="P", help="share of the likeliest tokens to draw from")
    parser.add_argument("--top-k", metavar="K", help="number of likeliest tokens to draw from")
    parser.add_argument("--seed", metavar="N", help="of the draw")


def chat(session: Session, arguments: Namespace) -> None:
    """Ask a model, or two side by side, and show the answer as it comes."""
    prompt = (session.body or "").strip() or " ".join(arguments.prompt)
    if not prompt:
        raise InvalidConfigError(
            f"`chat {arguments.model}` has no question.",
            f"Write it below `%%twinkle chat {arguments.model}`, or after the name.",
        )
    settings = _settings(arguments)
    messages = [{"role": "user", "content": prompt}]
    if arguments.system:
        messages.insert(0, {"role": "system", "content": arguments.system})
    models = [name for name in (arguments.model, arguments.compare) if name]
    client = session.service.ready(session.face)
    answers = [_Answer(column, name) for column, name in enumerate(models)]
    _stream(session, client, answers, messages, settings)


def adapters(session: Session, _: Namespace) -> None:
    """List the adapters."""
    rows = [
        (one.name, one.state, str(one.step), str(one.rank), one.base_model, one.folder)
        for one in session.service.running().adapters()
    ]
    note = "" if rows else "There is no adapter yet: `%twinkle train DATA` makes one."
    headings = ("adapter", "state", "step", "rank", "base model", "folder")
    session.face.table(Table("Adapters", headings, rows, note))


#: Kind, least and greatest of each; the service looks again.
_NUMBERS: Mapping[str, tuple[type[int] | type[float], int, int]] = {
    "max_tokens": (int, 1, 32_768),
    "temperature": (float, 0, 10),
    "top_p": (float, 0, 1),
    "top_k": (int, 0, 1_000_000),
    "min_p": (float, 0, 1),
    "repetition_penalty": (float, 0, 10),
    "presence_penalty": (float, -2, 2),
    "frequency_penalty": (float, -2, 2),
    "seed": (int, 0, 2**63 - 1),
}


def _settings(arguments: Namespace) -> dict[str, float]:
    """Read the numbers, so that a wrong one starts no service."""
    settings: dict[str, float] = {}
    wrong = []
    for name, (kind, least, greatest) in _NUMBERS.items():
        word = getattr(arguments, name)
        if word is None:
            continue
        said = f"`--{name.replace('_', '-')} {word}`"
        try:
            settings[name] = kind(word)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            wrong.append(f"{said} is not {what}.")
        else:
            if not least <= settings[name] <= greatest:
                wrong.append(f"{said} is not between {least} and {greatest}.")
    if wrong:
        raise InvalidConfigError(" ".join(wrong), "Nothing was asked.")
    return settings


@dataclass(slots=True)
class _Answer:
    """One column: who answers, and how it ended."""

    column: int
    model: str
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


def _stream(
    session: Session,
    client: Client,
    answers: Sequence[_Answer],
    messages: Sequence[Mapping[str, str]],
    settings: Mapping[str, float],
) -> None:
    """Read all answers at once, a thread each, and draw them from here."""
    cancelled = threading.Event()
    for answer in answers:
        threading.Thread(
            target=_read,
            args=(client, answer, messages, settings, cancelled),
            name=f"twinkle-chat-{answer.model}",
            daemon=True,
        ).start()
    try:
        _await_first(session, answers)
        if any(answer.error is None for answer in answers):
            _draw(session, answers)
    except KeyboardInterrupt:
        session.face.note("Interrupted before there was an answer.")
    finally:
        cancelled.set()
    for answer in answers:
        if answer.error is not None:
            raise answer.error


def _await_first(session: Session, answers: Sequence[_Answer]) -> None:
    """Wait for the first piece of an answer, showing what is done until then."""
    with session.face.progress() as say:
        while not any(answer.texts or answer.is_over for answer in answers):
            for answer in answers:
                _take(answer)
                if answer.waits_for:
                    say(answer.waits_for)
            time.sleep(DRAW_S)


def _draw(session: Session, answers: Sequence[_Answer]) -> None:
    """Draw the answers as they grow; an interrupt ends them and leaves what came."""
    view = session.face.chat([answer.model for answer in answers])
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
        return
    finally:
        view.finish([answer.note for answer in answers])


def _take(answer: _Answer) -> None:
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


def _read(
    client: Client,
    answer: _Answer,
    messages: Sequence[Mapping[str, str]],
    settings: Mapping[str, float],
    cancelled: threading.Event,
) -> None:
    """Hand over an answer as it comes; ask again while its base model is being loaded."""
    deadline = time.monotonic() + READY_S
    try:
        while not cancelled.is_set():
            try:
                # Leaving the loop drops the iterator, which closes the stream: the service stops.
                for part in client.sample(answer.model, messages, **settings):
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
