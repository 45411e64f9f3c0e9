"""What a client can ask of sweeps: start, look, prune, extend, stop."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from twinkle_jupyter.client.commands import ACT_S, RunCommands, checked_name
from twinkle_jupyter.wire.sweeps import SweepBody, SweepListBody, SweepSummaryBody

if TYPE_CHECKING:
    from twinkle_jupyter.client.event_stream import EventStream, LinkState
    from twinkle_jupyter.client.sweep import Sweep

__all__ = ["SweepBody", "SweepCommands", "SweepSummaryBody"]


class SweepCommands(RunCommands):
    """Commands to sweeps, beside those to runs."""

    @abstractmethod
    def events(
        self,
        run: str,
        *,
        after: int = 0,
        follow: bool = True,
        on_link: Callable[[LinkState, str], None] | None = None,
    ) -> EventStream:
        """Return the events of a run beyond `after`."""
        ...

    def start_sweep(
        self,
        name: str,
        grid: Mapping[str, Sequence[object]],
        records: Sequence[Mapping[str, object]],
        *,
        halving: int | None = None,
        **config: object,
    ) -> Sweep:
        """Queue a run for each combination of the grid's values; the same active one is returned.

        Args:
            name: Of the sweep; once it is over, of its best adapter too.
            grid: Values by setting.
            records: What all of them train on.
            halving: What is left at each rung is a `halving`-th; None does not halve.
            config: Settings that they share.

        Raises:
            InvalidConfigError: Name, settings or grid are wrong; all mistakes are named.
            InvalidDataError: Records cannot be trained on.
            ConflictError: A sweep, or an adapter, of this name is there.
        """
        from twinkle_jupyter.client.sweep import Sweep

        body = {
            "name": name,
            "config": config,
            "grid": {setting: list(values) for setting, values in grid.items()},
            "records": list(records),
            "halving": halving,
        }
        answer = self._send("POST", "/sweeps", content=json.dumps(body).encode(), timeout_s=ACT_S)
        started = SweepBody.model_validate_json(answer.content)
        return Sweep(self, started.sweep_id, started.name)

    def sweep(self, name: str) -> Sweep:
        """Return a sweep by its id or name, as an object with table, best and commands.

        Raises:
            NotFoundError: There is no such sweep.
        """
        from twinkle_jupyter.client.sweep import Sweep

        body = self.sweep_body(name)
        return Sweep(self, body.sweep_id, body.name)

    def sweep_body(self, name: str, *, points: bool = False) -> SweepBody:
        """Return how a sweep is now, ranked; with its members' curves if asked for."""
        query = "?points=true" if points else ""
        return self._call("GET", f"/sweeps/{checked_name(name)}{query}", SweepBody)

    def sweeps(self) -> list[SweepSummaryBody]:
        """List all sweeps, newest first."""
        return list(self._call("GET", "/sweeps", SweepListBody).sweeps)

    def prune_sweep(self, name: str, members: Sequence[str]) -> SweepBody:
        """End these members before their next step; raises `NotFoundError` for unknown ones."""
        path = f"/sweeps/{checked_name(name)}/prune"
        return self._post(path, {"members": list(members)}, SweepBody)

    def extend_sweep(self, name: str, grid: Mapping[str, Sequence[object]]) -> SweepBody:
        """Add members with the same data; settings left out have all the values that they had.

        Raises:
            InvalidConfigError: The grid is wrong, or adds what is there; all mistakes are named.
        """
        body = {"grid": {setting: list(values) for setting, values in grid.items()}}
        return self._post(f"/sweeps/{checked_name(name)}/extend", body, SweepBody)

    def stop_sweep(self, name: str) -> SweepBody:
        """End all members before their next step; raises `ConflictError` when it is over."""
        return self._post(f"/sweeps/{checked_name(name)}/stop", {}, SweepBody)
