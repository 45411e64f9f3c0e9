"""`template`: one row as the tokens that a run would train on."""

from __future__ import annotations

import secrets
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.errors import STARTING, InvalidConfigError, TwinkleError
from twinkle_jupyter.notebook.run_verbs import add_data_argument, found_data
from twinkle_jupyter.notebook.service_link import READY_S
from twinkle_jupyter.notebook.session import Session

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.templates.message_form import Messages, Tools
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
    parser.add_argument(
        "--reasoning",
        choices=("keep", "strip"),
        default="keep",
        help="what becomes of the reasoning before an answer",
    )
    parser.add_argument(
        "--adapter",
        default="",
        metavar="NAME",
        help="say how likely each token is to it, such as `pirate` or `pirate@40`, and to its base"
        " model",
    )
    parser.add_argument(
        "--side",
        choices=("chosen", "rejected"),
        default="chosen",
        help="of a row with two answers, which to show",
    )


def template(session: Session, arguments: Namespace) -> None:
    """Show a row as tokens: role, loss weight and place of each, with the rule to change."""
    row = _read_row(session, arguments)
    client = session.service.ready(session.face)
    read = {
        "messages": [dict(message) for message in row.messages],
        "tools": [dict(tool) for tool in row.tools],
        "reasoning": arguments.reasoning,
    }
    asked = {
        **read,
        "base_model": arguments.base_model,
        "loss_mask": row.loss_mask or arguments.loss_mask,
        "max_length": arguments.max_length,
        "adapter": arguments.adapter,
    }
    view = _ask(session, client, asked)
    from twinkle_jupyter.notebook.token_panels import live_token_bundle

    # A picture of its own for each call: a cell compares rules or data with several.
    session.face.place(f"tokens {secrets.token_hex(6)}")(
        live_token_bundle(client, row.title, read, view)
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """What is shown."""

    messages: Messages
    title: str
    #: Functions that may be called.
    tools: Tools = ()
    #: Of a preference, whose messages say what is compared; else empty.
    loss_mask: str = ""


def _read_row(session: Session, arguments: Namespace) -> _Row:
    if arguments.data is None and not session.body:
        return _Row(_EXAMPLE, "An example")
    from twinkle_jupyter.datasets.run_rows import guess_loss, load_rows

    records: Sequence[Mapping[str, object]]
    with found_data(session, arguments.data, "template") as (source, name):
        records = load_rows(source, guess_loss(source, name), name).records
    if not 1 <= arguments.row <= len(records):
        raise InvalidConfigError(
            f"`--row {arguments.row}` is not there: the data have {len(records)} rows.",
            "Rows are counted from 1.",
        )
    title = f"Row {arguments.row} of {len(records)}"
    record = records[arguments.row - 1]
    if "messages" in record:
        tools = cast("Tools", record.get("tools", ()))
        return _Row(cast("Messages", record["messages"]), title, tools)
    from twinkle_jupyter.templates.answer_sides import side_record

    side = side_record(record, arguments.side)
    return _Row(side["messages"], f"{title}, {arguments.side}", side["tools"], "custom")


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
