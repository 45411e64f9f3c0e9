"""`twinkle admin`: who uses what, limits, maintenance, messages, and who did what."""

from __future__ import annotations

import sys
import time
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from twinkle_jupyter.client.admin import (
    AdminClient,
    ChangeLimitsBody,
    DrainBody,
    LimitChanges,
    SayBody,
)
from twinkle_jupyter.errors import InvalidConfigError, ServiceUnavailableError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from twinkle_jupyter.client.discovery import Connection

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LIMITS = tuple(LimitChanges.model_fields)
#: What runs get to come to rest.
_REST_S = 600.0


def admin(words: list[str]) -> int:
    """Administer a service; needs a key of an admin (`twinkle keys create NAME --admin`)."""
    given = _parser().parse_args(words)
    client = AdminClient(_connection(given))
    told = given.act(client, given)
    if told is not None and given.json:
        sys.stdout.write(f"{told.model_dump_json(indent=2)}\n")
    elif told is not None:
        from twinkle_jupyter.cli.admin_tables import show

        show(told)
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser("twinkle admin", description=admin.__doc__, allow_abbrev=False)
    parser.add_argument("--url", default="", help="of the service; else TWINKLE_URL, or found here")
    parser.add_argument("--json", action="store_true", help="print what the service answers")
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, what: str, act: Callable[..., object]) -> ArgumentParser:
        made = verbs.add_parser(name, help=what, description=f"{what[:1].upper()}{what[1:]}.")
        # Also after the verb, where a person adds it last.
        made.add_argument("--json", action="store_true", default=SUPPRESS)
        made.set_defaults(act=act)
        return made

    verb(
        "who", "show who uses what: runs, slots, tokens, disk", lambda client, _: client.overview()
    )
    limits = verb("limits", "show limits, or change them while the service runs", _limits)
    whose = limits.add_mutually_exclusive_group()
    whose.add_argument("--user", help="of this user alone (`hub:anna` is Anna of the JupyterHub)")
    whose.add_argument("--group", help="of the users of this group")
    limits.add_argument(
        "changes",
        nargs="*",
        metavar="NAME=VALUE",
        help=f"{', '.join(_LIMITS)}; 0 is no limit, `-` takes a change back",
    )
    draining = verb("drain", "take in no new work and have every run rest at a checkpoint", _drain)
    draining.add_argument("message", help="what users are told")
    draining.add_argument("--for", dest="seconds", type=_seconds, help="such as 30m or 2h")
    draining.add_argument("--wait", action="store_true", help="until every run has come to rest")
    verb("undrain", "take in work again; those runs go on", lambda client, _: client.undrain())
    saying = verb("broadcast", "tell everybody something, or end that", _broadcast)
    saying.add_argument("message", nargs="?", help="left out: what is said now is ended")
    saying.add_argument("--for", dest="seconds", type=_seconds, default=3600, help="such as 30m")
    saying.add_argument("--warning", action="store_true", help="shown as one")
    audit = verb("audit", "show who did what, newest first", _audit)
    audit.add_argument("--user", default="", help="of this user alone")
    audit.add_argument("--since", default="", help="a moment (2026-11-28T10:00), or 2h for a while")
    audit.add_argument("--limit", type=int, default=100, help="how many at most (100)")
    return parser


def _connection(given: Namespace) -> Connection:
    from twinkle_jupyter.client.discovery import find_connection

    connection = find_connection(given.url)
    if connection is None:
        raise ServiceUnavailableError(
            "No training service was found.", "Name it: --url, and its key in TWINKLE_API_KEY."
        )
    return connection


def _limits(client: AdminClient, given: Namespace) -> BaseModel:
    if not given.changes and not (given.user or given.group):
        return client.limits()
    changes: dict[str, int | None] = {}
    for change in given.changes:
        name, is_set, value = change.partition("=")
        name = name.replace("-", "_")
        if name not in _LIMITS or not is_set or not (value.isdecimal() or value == "-"):
            raise InvalidConfigError(
                f"{change!r} changes no limit.", f"NAME=VALUE, of: {', '.join(_LIMITS)}."
            )
        changes[name] = None if value == "-" else int(value)
    scope = "user" if given.user else "group" if given.group else "default"
    body = {"scope": scope, "name": given.user or given.group or "", "changes": changes}
    return client.change_limits(ChangeLimitsBody.model_validate(body))


def _drain(client: AdminClient, given: Namespace) -> BaseModel:
    state = client.drain(DrainBody(message=given.message, seconds=given.seconds))
    deadline = time.monotonic() + _REST_S
    while given.wait and state.num_running:
        if time.monotonic() > deadline:
            raise ServiceUnavailableError(
                f"{state.num_running} runs have not come to rest in {_REST_S:.0f} s.",
                "`twinkle admin who` shows whose. No new work is taken in.",
            )
        time.sleep(0.5)
        state = client.maintenance()
    return state


def _broadcast(client: AdminClient, given: Namespace) -> BaseModel | None:
    if given.message is None:
        client.end_broadcast()
        return None
    level = "warning" if given.warning else "info"
    body = {"message": given.message, "level": level, "seconds": given.seconds}
    return client.say(SayBody.model_validate(body))


def _audit(client: AdminClient, given: Namespace) -> BaseModel:
    since = given.since
    if since[-1:] in _UNITS and since[:-1].isdecimal():
        moment = datetime.now(tz=UTC) - timedelta(seconds=_seconds(since))
        since = moment.isoformat(timespec="milliseconds")
    return client.audit(given.user, since, given.limit)


def _seconds(text: str) -> int:
    if text[-1:] not in _UNITS or not text[:-1].isdecimal():
        raise ArgumentTypeError(f"{text!r} is no time such as 90s, 30m, 2h or 3d")
    return int(text[:-1]) * _UNITS[text[-1]]
