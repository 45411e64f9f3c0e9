"""What a service answers an admin, as tables in a terminal."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from twinkle_jupyter.client.admin import (
    AuditBody,
    BroadcastBody,
    ChangedLimitsBody,
    DrainStateBody,
    LimitListBody,
    MaintenanceBody,
    OverviewBody,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@singledispatch
def show(body: object) -> None:
    """Print it."""
    _console().print(body)


@show.register
def _(body: OverviewBody) -> None:
    console = _console()
    _show_notices(console, body.maintenance, body.broadcast)
    users = Table("user", "adapters", "slots", "runs", "queued", "tokens/min", "disk", "last seen")
    for one in body.users:
        users.add_row(
            one.user,
            str(one.num_adapters),
            str(one.num_active_adapters),
            _counts(one.runs),
            f"{one.queued_tokens:,}",
            f"{one.tokens_per_minute:,}",
            _bytes(one.storage_bytes),
            _moment(one.last_seen),
        )
    console.print(users if body.users else "Nobody has anything yet.")
    models = Table(
        "base model", "slots", "adapters", "memory", "queued ops", "queued", "tokens/min"
    )
    for model in body.base_models:
        models.add_row(
            model.base_model,
            f"{model.num_active_adapters} of {model.num_slots}",
            str(model.num_adapters),
            _bytes(model.memory_bytes),
            str(model.queued_ops),
            f"{model.queued_tokens:,}",
            f"{model.tokens_per_minute:,}",
        )
    console.print(models if body.base_models else "No base model is loaded.")


@show.register
def _(body: LimitListBody) -> None:
    names = list(body.configured)
    table = Table("whose", "said by", *(name.replace("_", " ") for name in names))

    def add(whose: str, said_by: str, values: Mapping[str, int]) -> None:
        cells = [_limit(values[name]) if name in values else "" for name in names]
        table.add_row(whose, said_by, *cells)

    add("everybody", "configuration", body.configured)
    for name, values in body.configured_groups.items():
        add(f"group {name}", "configuration", values)
    for name, values in body.configured_users.items():
        add(f"user {name}", "configuration", values)
    for one in body.changed:
        add(_whose(one), "admin", one.changed)
    _console().print(table)


@show.register
def _(body: ChangedLimitsBody) -> None:
    said = ", ".join(f"{name.replace('_', ' ')} {_limit(n)}" for name, n in body.changed.items())
    _console().print(f"{_whose(body).capitalize()}: {said or 'as configured'}.")


@show.register
def _(body: DrainStateBody) -> None:
    console = _console()
    if body.maintenance is None:
        console.print("New work is taken in.")
        return
    _show_notices(console, body.maintenance, None)
    console.print(
        f"{body.num_held} runs rest, {body.num_running} are on their way to a checkpoint."
    )


@show.register
def _(body: BroadcastBody) -> None:
    _console().print(f"Told until {_moment(body.expires_at)}: {body.message}")


@show.register
def _(body: AuditBody) -> None:
    table = Table("at", "who", "what", "to", "more")
    for act in body.acts:
        table.add_row(_moment(act.at), act.who, act.what.replace("_", " "), act.to, act.detail)
    _console().print(table if body.acts else "Nobody has done anything that is kept.")


def _console() -> Console:
    """Return one that shows names and messages as they are: rich reads brackets as styles."""
    return Console(markup=False, emoji=False)


def _show_notices(
    console: Console, rest: MaintenanceBody | None, said: BroadcastBody | None
) -> None:
    if rest is not None:
        until = f", expected until {_moment(rest.until)}" if rest.until else ""
        console.print(f"Maintenance since {_moment(rest.since)}{until}: {rest.message}")
    if said is not None:
        console.print(f"Told everybody until {_moment(said.expires_at)}: {said.message}")


def _whose(one: ChangedLimitsBody) -> str:
    return "everybody" if one.scope == "default" else f"{one.scope} {one.name}"


def _limit(value: int) -> str:
    return f"{value:,}" if value else "none"


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "-"


def _moment(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC" if text else "-"


def _bytes(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"
