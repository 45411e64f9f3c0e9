"""The sweep that a person holds: its table, its best member, and the ways to cut and extend it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from twinkle_jupyter.client.cards import card
from twinkle_jupyter.client.metrics import as_table, metric_rows
from twinkle_jupyter.errors import NotFoundError, ServiceUnavailableError
from twinkle_jupyter.store.interface import JSON

if TYPE_CHECKING:
    from twinkle_jupyter.client.metrics import Table
    from twinkle_jupyter.client.sweep_commands import SweepBody, SweepCommands

#: How often `wait` looks, in seconds.
POLL_S = 1.0
#: States that a sweep leaves only by being extended.
OVER = frozenset(("finished", "stopped", "failed"))


class Sweep:
    """One sweep on the service; each property asks for the present value.

    Attributes:
        sweep_id: The sweep's id.
        name: Its name.
    """

    def __init__(self, client: SweepCommands, sweep_id: str, name: str) -> None:
        self._client = client
        self.sweep_id = sweep_id
        self.name = name

    def body(self, *, points: bool = False) -> SweepBody:
        """Return how it is now; with its members' curves if asked for."""
        return self._client.sweep_body(self.sweep_id, points=points)

    @property
    def state(self) -> str:
        """The sweep's state."""
        return self.body().state

    @property
    def best(self) -> str:
        """Adapter of the member that is ahead; empty while none has weights."""
        return self.body().best

    @property
    def table(self) -> Table:
        """The members, the best first; a DataFrame if pandas is there."""
        return as_table(rows_of(self.body()))

    @property
    def history(self) -> Table:
        """Every step of every member so far, with its settings; a DataFrame if pandas is there."""
        return as_table(self.rows())

    def rows(self) -> list[dict[str, JSON]]:
        """Return every step of every member so far."""
        rows: list[dict[str, JSON]] = []
        for one in self.body().members:
            events = self._client.events(one.run_id, follow=False)
            settings = {"adapter": one.adapter, **one.settings}
            rows += [{**settings, **row} for row in metric_rows(event.entry for event in events)]
        return rows

    def prune(self, *members: str) -> Self:
        """End these members early, by adapter; raises `NotFoundError` for unknown ones."""
        self._client.prune_sweep(self.sweep_id, members)
        return self

    def extend(self, **grid: object) -> Self:
        """Add members: `extend(learning_rate=[3e-3], rank=32)`; raises as `extend_sweep`."""
        values = {name: _values(value) for name, value in grid.items()}
        self._client.extend_sweep(self.sweep_id, values)
        return self

    def stop(self) -> Self:
        """End all members; raises `ConflictError` when it is over."""
        self._client.stop_sweep(self.sweep_id)
        return self

    def wait(self, timeout_s: float) -> str:
        """Wait until the sweep is over and return its state, over restarts of the service.

        Raises:
            TimeoutError: It is not over after `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        state = "queued"
        while True:
            try:
                state = self.state
            except ServiceUnavailableError:
                if time.monotonic() >= deadline:
                    raise
            if state in OVER:
                return state
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError(f"Sweep {self.name} is {state} after {timeout_s:g} s.")
            time.sleep(min(POLL_S, remaining))

    def __repr__(self) -> str:
        return f"<sweep {self.name!r}, {self.sweep_id}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        title = f"Sweep {self.name}"
        try:
            body = self.body()
        except (NotFoundError, ServiceUnavailableError) as error:
            return card(title, {"sweep": self.sweep_id, "now": str(error)})
        members = ", ".join(one.adapter for one in sorted(body.members, key=lambda one: one.rank))
        pairs = {"sweep": body.sweep_id, "state": body.state, "best": body.best, "runs": members}
        return card(title, pairs)


def rows_of(body: SweepBody) -> list[dict[str, JSON]]:
    """Return a row for each member, the best first."""
    return [
        {
            "rank": one.rank,
            "adapter": one.adapter,
            **one.settings,
            "step": one.step,
            "loss": one.loss,
            "eval_loss": one.eval_loss,
            "state": one.state,
            "pruned_at": one.pruned_at,
        }
        for one in sorted(body.members, key=lambda one: one.rank)
    ]


def _values(value: object) -> Sequence[object]:
    is_one = isinstance(value, str | Mapping) or not isinstance(value, Sequence)
    return [value] if is_one else list(value)  # type: ignore[call-overload]
