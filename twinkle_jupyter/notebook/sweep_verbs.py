"""Verbs about sweeps: start one, see it, cut it, extend it."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from twinkle_jupyter.client.sweep import OVER, POLL_S, Sweep
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError, ServiceUnavailableError
from twinkle_jupyter.notebook.arguments import add_run_settings, grid_settings
from twinkle_jupyter.notebook.base_model_choice import settle_base_model
from twinkle_jupyter.notebook.cell_value import Listing, list_out
from twinkle_jupyter.notebook.run_verbs import add_data_argument, load_run_rows
from twinkle_jupyter.notebook.run_verbs import show as show_run
from twinkle_jupyter.notebook.run_waiting import link_shown
from twinkle_jupyter.notebook.session import Session, Table
from twinkle_jupyter.notebook.several_runs import RunsHandle, show_runs

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.client.sweep_commands import SweepBody
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.session import Face

#: Values of these are taken as they are, commas and all.
_WHOLE = frozenset(("probe", "base_model"))


class SweepHandle(Sweep):
    """A sweep that shows its panel when it is the value of a cell."""

    def __init__(self, client: Client, sweep_id: str, name: str, face: Face) -> None:
        super().__init__(client, sweep_id, name)
        self.client = client
        self._face = face

    def drawing(self) -> Callable[[], SweepBody]:
        """Give a function that shows it as it is now, in one place, and returns what was shown."""
        from twinkle_jupyter.notebook.sweep_panels import live_sweep_bundle

        place = self._face.place(self.sweep_id)

        def draw() -> SweepBody:
            body = self.body(points=True)
            place(live_sweep_bundle(self.client, body))
            return body

        return draw

    def _ipython_display_(self) -> None:
        from twinkle_jupyter.notebook.sweep_panels import live_sweep_bundle, sweep_line

        body = self.body(points=True)
        # A terminal has shown the table just before, when a verb returned this.
        bundle = live_sweep_bundle(self.client, body)
        self._face.place(self.sweep_id)({**bundle, "text/plain": sweep_line(body)})


def add_sweep_arguments(parser: ArgumentParser) -> None:
    """Take the data, how to cut, and settings of which each may have several values."""
    add_data_argument(parser)
    parser.add_argument(
        "--name", default="sweep", help="of the sweep, and in the end of its best adapter"
    )
    parser.add_argument(
        "--halving",
        type=int,
        metavar="N",
        help="leave an N-th of the runs at each rung, those with the lowest eval loss; the last"
        " rung is at an N-th of the steps",
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait for the end; an interrupt leaves it running"
    )
    _add_grid_settings(parser)


def sweep(session: Session, arguments: Namespace) -> SweepHandle:
    """Check everything here, then start a run for each combination, and show them together."""
    from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
    from twinkle_jupyter.runs.sweep import Around, expand

    config, grid = grid_settings(arguments, _WHOLE)
    named = config.pop("base_model", [os.environ.get("TWINKLE_BASE_MODEL") or DEFAULT_BASE_MODEL])
    base_model = str(named[-1]) if isinstance(named, list) else DEFAULT_BASE_MODEL
    shared = {**config, "base_model": base_model}
    expand(arguments.name, shared, grid, Around(shown=_flags()))
    if arguments.halving is not None and arguments.halving < 2:
        raise InvalidConfigError(
            f"`--halving {arguments.halving}` is not at least 2.", "3 leaves a third at each rung."
        )
    data = load_run_rows(session, arguments.data, "sweep", str(config.get("loss", "")))
    found = session.service.find()
    shared["base_model"] = settle_base_model(base_model, found.connection if found else None)
    client = session.service.started(session.face)
    started = client.start_sweep(
        arguments.name, grid, data.records, halving=arguments.halving, **shared
    )
    handle = SweepHandle(client, started.sweep_id, started.name, session.face)
    return _show(session, handle, wait=arguments.wait)


def show(session: Session, arguments: Namespace) -> RunHandle | SweepHandle | RunsHandle:
    """Show a sweep's panel, a run's, or several runs in one plot."""
    if len(arguments.name) > 1:
        if arguments.wait:
            raise InvalidConfigError("`--wait` waits for one run.", "Name one, or leave it out.")
        return show_runs(session, arguments.name)
    if arguments.name and not arguments.name[0].startswith("run_"):
        try:
            return _show(session, _find(session, arguments.name[0]), wait=arguments.wait)
        except NotFoundError:
            pass  # then it is a run, or nothing, which is said there
    return show_run(session, arguments)


def sweeps(session: Session, _: Namespace) -> Listing[SweepHandle]:
    """List all sweeps, newest first."""
    client = session.service.running()
    found = client.sweeps()
    rows = [
        (
            one.name,
            one.sweep_id,
            one.state,
            f"{one.num_active} of {one.num_members}",
            one.best,
            one.created_at[:16].replace("T", " "),
        )
        for one in found
    ]
    note = "" if rows else "There is no sweep yet: `%twinkle sweep DATA --rank 4,16` starts one."
    titles = ("sweep", "id", "state", "going on", "best", "since (UTC)")
    handles = (SweepHandle(client, one.sweep_id, one.name, session.face) for one in found)
    return list_out(session, handles, Table("Sweeps", titles, rows, note))


def add_prune_arguments(parser: ArgumentParser) -> None:
    """Take a sweep and members."""
    add_sweep_name_argument(parser)
    parser.add_argument("members", nargs="+", help="adapters, with or without the sweep's name")


def prune(session: Session, arguments: Namespace) -> SweepHandle:
    """End some members early; they keep their weights."""
    handle = _find(session, arguments.name)
    handle.prune(*arguments.members)
    return _show(session, handle, wait=False)


def add_extend_arguments(parser: ArgumentParser) -> None:
    """Take a sweep and values to add."""
    add_sweep_name_argument(parser)
    _add_grid_settings(parser)


def extend(session: Session, arguments: Namespace) -> SweepHandle:
    """Add members; settings that are left out have all the values that they had."""
    single, grid = grid_settings(arguments, _WHOLE)
    more = {**{name: [value] for name, value in single.items()}, **grid}
    if not more:
        raise InvalidConfigError(
            f"`{session.prefix} extend` needs a value to add.",
            f"For example: `{session.prefix} extend {arguments.name} --learning-rate 3e-3`.",
        )
    handle = _find(session, arguments.name)
    handle.extend(**more)
    return _show(session, handle, wait=False)


def add_sweep_name_argument(parser: ArgumentParser) -> None:
    """Take a sweep."""
    parser.add_argument("name", help="a sweep")


def stop_sweep(session: Session, arguments: Namespace) -> None:
    """End all members; their weights are kept."""
    handle = _find(session, arguments.name)
    handle.stop()
    session.face.note(f"The runs of sweep {handle.name} end; their weights are kept.")


def _add_grid_settings(parser: ArgumentParser) -> None:
    from twinkle_jupyter.config.run_config import RunConfig

    add_run_settings(parser, set(RunConfig.model_fields) - {"adapter"}, repeated=True)


def _flags() -> dict[str, str]:
    from twinkle_jupyter.config.run_config import RunConfig

    flags = {name: f"--{name.replace('_', '-')}" for name in RunConfig.model_fields}
    return {**flags, "adapter": "--name"}


def _find(session: Session, name: str) -> SweepHandle:
    client = session.service.running()
    body = client.sweep_body(name)
    return SweepHandle(client, body.sweep_id, body.name, session.face)


def _show(session: Session, handle: SweepHandle, *, wait: bool) -> SweepHandle:
    """Show the panel, and go on showing it to the end if asked to."""
    draw = handle.drawing()
    body = draw()
    try:
        with link_shown(session.face) as on_link:
            while wait and body.state not in OVER:
                time.sleep(POLL_S)
                try:
                    body = draw()
                except ServiceUnavailableError as error:
                    on_link("waiting", error.message)
                else:
                    on_link("live", "")
    except KeyboardInterrupt:
        if session.is_program:
            raise
        session.face.note(
            f"Detached: sweep {handle.name} goes on. `%twinkle show {handle.name}` shows it again,"
            f" `%twinkle stop-sweep {handle.name}` ends it."
        )
    return handle
