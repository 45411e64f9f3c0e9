"""`template`: one row as the tokens that a run would train on."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import STARTING, InvalidConfigError, TwinkleError
from twinkle_jupyter.notebook.run_verbs import add_data_argument, load_data
from twinkle_jupyter.notebook.service_link import READY_S
from twinkle_jupyter.notebook.session import Session

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.wire.token_views import TokenViewBody

_ASK_AGAIN_S = 0.5
#: Shown where no data are named.
_EXAMPLE: tuple[Mapping[str, str], ...] = (
    {"role": "system", "content": "You are a pirate."},
    {"role": "user", "content": "Who are you?"},
    {"role": "assistant", "content": "Captain Ada, at your service. ☠"},
)


def add_template_arguments(parser: ArgumentParser) -> None:
    """Take the data, which of their rows, and the settings that decide what becomes of it."""
    add_data_argument(parser)
    parser.add_argument("--row", type=int, default=1, metavar="N", help="which row, from 1 on")
    parser.add_argument("--base-model", default="", help="whose template; the service's own if not")
    parser.add_argument(
        "--loss-mask", default="all-assistant", metavar="RULE", help="which tokens are learned"
    )
    parser.add_argument("--max-length", type=int, metavar="N", help="tokens from N on are cut")


def template(session: Session, arguments: Namespace) -> None:
    """Show a row as tokens: role, loss weight and place of each, with the rule to change."""
    messages, title = _read_row(session, arguments)
    client = session.service.ready(session.face)
    asked = {
        "messages": [dict(message) for message in messages],
        "base_model": arguments.base_model,
        "loss_mask": arguments.loss_mask,
        "max_length": arguments.max_length,
    }
    view = _ask(session, client, asked)
    from twinkle_jupyter.notebook.token_panels import live_token_bundle

    session.face.place(f"tokens {title} {arguments.row}")(
        live_token_bundle(client, title, asked["messages"], view)
    )


def _read_row(session: Session, arguments: Namespace) -> tuple[Sequence[Mapping[str, str]], str]:
    if arguments.data is None and not session.body:
        return _EXAMPLE, "An example"
    records = load_data(session, arguments.data, "template").records
    if not 1 <= arguments.row <= len(records):
        raise InvalidConfigError(
            f"`--row {arguments.row}` is not there: the data have {len(records)} rows.",
            "Rows are counted from 1.",
        )
    title = f"Row {arguments.row} of {len(records)}"
    messages: Sequence[Mapping[str, str]] = records[arguments.row - 1]["messages"]
    return messages, title


def _ask(session: Session, client: Client, asked: Mapping[str, object]) -> TokenViewBody:
    """Ask until the base model is loaded, showing what is waited for."""
    deadline = time.monotonic() + READY_S
    with session.face.progress() as say:
        while True:
            try:
                return client.view_tokens(asked)
            except TwinkleError as error:
                if error.code != STARTING or time.monotonic() > deadline:
                    raise
                say(error.message.rstrip("."))
                time.sleep(_ASK_AGAIN_S)
