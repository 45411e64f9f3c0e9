"""Verbs that ask a model: chat, sample; and the list of adapters to ask."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.adapter_panels import AdapterListing, adapters_table
from twinkle_jupyter.notebook.answer_settings import add_setting_arguments, read_settings
from twinkle_jupyter.notebook.answer_stream import StreamedAnswer, stream_answers
from twinkle_jupyter.notebook.cell_value import Answer, Answers, current_cell
from twinkle_jupyter.notebook.session import Session

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client

_BASE = "base"
_MAX_SAMPLES = 16
_MAX_COMPARED = 4
#: Of a seed that nobody has set: short enough to be typed again.
_MAX_SEED = 10_000


def add_chat_arguments(parser: ArgumentParser) -> None:
    """Take a model, maybe another to compare with, and how to answer."""
    parser.add_argument("model", help="an adapter's name (also while it trains), or `base`")
    _add_prompt(parser)
    parser.add_argument("--compare", metavar="MODEL", help="a second model, side by side")
    add_setting_arguments(parser)


def add_sample_arguments(parser: ArgumentParser) -> None:
    """Take a model, how many answers, and how to answer."""
    parser.add_argument(
        "model",
        nargs="?",
        help="an adapter's name (also while it trains), or `base`; not needed for an only adapter",
    )
    _add_prompt(parser)
    parser.add_argument("--n", metavar="N", default="1", help="number of answers, each another one")
    add_setting_arguments(parser)


def add_compare_arguments(parser: ArgumentParser) -> None:
    """Take the models, and how to answer."""
    parser.add_argument(
        "models", nargs="+", help="adapters, `base`, or an adapter at a step such as `pirate@40`"
    )
    parser.add_argument("--system", metavar="TEXT", help="what the models are told before")
    add_setting_arguments(parser)


def chat(session: Session, arguments: Namespace) -> Answer | Answers | None:
    """Ask a model, or two side by side, and show the answer as it comes; no question: a panel."""
    if session.prefix.startswith("%") and session.body is None and not arguments.prompt:
        models = [name for name in (arguments.model, arguments.compare) if name]
        _open_panel(session, models, arguments)
        return None
    messages = _read_messages(session, arguments, f"chat {arguments.model}")
    settings = read_settings(arguments)
    models = [name for name in (arguments.model, arguments.compare) if name]
    client = session.service.ready(session.face)
    answers = [StreamedAnswer(column, name, name, settings) for column, name in enumerate(models)]
    return stream_answers(session, client, answers, messages)


def compare(session: Session, arguments: Namespace) -> None:
    """Open a chat with several models side by side."""
    models = list(dict.fromkeys([*arguments.models, *([_BASE] * (len(arguments.models) == 1))]))
    if len(models) > _MAX_COMPARED:
        raise InvalidConfigError(f"`compare` takes at most {_MAX_COMPARED} models side by side.")
    _open_panel(session, models, arguments)


def _open_panel(session: Session, models: Sequence[str], arguments: Namespace) -> None:
    from twinkle_jupyter.notebook.chat_panels import live_chat_bundle

    settings = read_settings(arguments)
    client = session.service.started(session.face)
    bundle = live_chat_bundle(client, models, arguments.system or "", settings)
    session.face.place(f"chat {secrets.token_hex(6)}")(bundle)


def sample(session: Session, arguments: Namespace) -> Answer | Answers:
    """Ask a model several times at once and show all answers as they come.

    Several answers are drawn, at temperature 1 if none is set, and each has a seed of its own, the
    first one the given: the same again gives the same answers.
    """
    messages = _read_messages(session, arguments, "sample")
    settings = read_settings(arguments)
    num_answers = _read_count(arguments.n)
    if num_answers > 1:
        settings.setdefault("temperature", 1.0)
        settings.setdefault("seed", secrets.randbelow(_MAX_SEED))
    client = session.service.ready(session.face)
    model = arguments.model or _only_adapter(client)
    answers = []
    for column in range(num_answers):
        own = dict(settings)
        title = model
        if num_answers > 1:
            own["seed"] += column
            title = f"{model}, seed {own['seed']}"
        answers.append(StreamedAnswer(column, title, model, own))
    return stream_answers(session, client, answers, messages)


def list_adapters(session: Session) -> AdapterListing:
    """List the adapters: whence each came, where it is, what it takes on disk."""
    client = session.service.running()
    found = client.adapters(details=True)
    note = "" if found else "There is no adapter yet: `%twinkle train DATA` makes one."
    listing = AdapterListing(client, found, adapters_table(found, note))
    if session.is_program or not session.prefix.startswith("%"):
        session.face.table(listing.table)
    else:
        session.face.place("adapters")(listing.bundle())
    listing.said_in = current_cell()
    return listing


def _add_prompt(parser: ArgumentParser) -> None:
    parser.add_argument(
        "prompt",
        nargs="*",
        default=[],
        help="the question; the body of a cell of its own follows it",
    )
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before")


def _read_messages(session: Session, arguments: Namespace, command: str) -> list[dict[str, str]]:
    prompt = _read_prompt(arguments.prompt, (session.body or "").strip())
    if not prompt:
        raise InvalidConfigError(
            f"`{command}` has no question.",
            f"Write it below `%%twinkle {command}`, or after the model's name.",
        )
    messages = [{"role": "user", "content": prompt}]
    if arguments.system:
        messages.insert(0, {"role": "system", "content": arguments.system})
    return messages


def _read_prompt(words: Sequence[str], body: str) -> str:
    """Return what is asked: the words of the line, below them the body that `-` stands for."""
    if body and words[-1:] == ["-"]:
        words = words[:-1]
    return "\n".join(filter(None, (" ".join(words), body)))


def _read_count(word: str) -> int:
    if not (word.isdecimal() and 1 <= int(word) <= _MAX_SAMPLES):
        raise InvalidConfigError(f"`--n {word}` is not a whole number from 1 to {_MAX_SAMPLES}.")
    return int(word)


def _only_adapter(client: Client) -> str:
    names = [adapter.name for adapter in client.adapters()]
    if len(names) > 1:
        raise InvalidConfigError(
            "`sample` names no model.", f"There are: {', '.join(names)}, {_BASE}."
        )
    return names[0] if names else _BASE
