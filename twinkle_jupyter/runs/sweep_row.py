"""A sweep in the store: which runs it has, what was done with them, which is the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Self, cast
from urllib.parse import quote

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.ids import RunId, SweepId
from twinkle_jupyter.runs.sweep_ranking import Cut
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.records import RunRow, now


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One run of a sweep."""

    run_id: RunId
    adapter: str
    #: Where it differs from the others.
    settings: Row
    #: 0 for those of the beginning, then one more with each extension.
    wave: int = 0


@dataclass(frozen=True, slots=True)
class SweepRow:
    """A group of runs that are started, ranked and ended together."""

    sweep_id: SweepId
    owner: str
    name: str
    #: Settings that all members share.
    config: Row
    #: Values by setting.
    grid: Mapping[str, Sequence[JSON]]
    #: SHA-256 over configuration, grid and records.
    fingerprint: str
    members: Sequence[MemberRow]
    #: What is left at each rung is a `halving`-th; None does not halve.
    halving: int | None = None
    cuts: Sequence[Cut] = ()
    #: Who ended the members that were to end before their last step, by run id.
    pruned: Mapping[str, Literal["hand", "halving"]] = field(default_factory=dict)
    wanted: Literal["running", "stopped"] = "running"
    #: Whether all members are over and `best` is fixed.
    is_over: bool = False
    #: Run that the sweep's own name stands for once it is over; empty before, or if there is none.
    best: str = ""
    created_at: str = field(default_factory=now)

    @staticmethod
    def key(sweep_id: str) -> str:
        """Where the row is kept."""
        return f"sweep/{sweep_id}"

    @staticmethod
    def name_key(owner: str, name: str) -> str:
        """Where the newest sweep of a name is kept, `{"sweep_id": …}`."""
        return f"sweep-name/{quote(owner, safe='')}/{name}"

    def to_row(self) -> Row:
        """Return the row as JSON."""
        return cast("Row", asdict(self))

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Rebuild from JSON."""
        fields = cast("dict[str, str]", dict(row))
        members = cast("Sequence[dict[str, str]]", row["members"])
        cuts = cast("Sequence[dict[str, Sequence[str]]]", row["cuts"])
        sweep = cls(**fields)  # type: ignore[arg-type]
        return replace(
            sweep,
            members=tuple(MemberRow(**one) for one in members),  # type: ignore[arg-type]
            cuts=tuple(
                Cut(**{**cut, "stopped": tuple(cut["stopped"])})  # type: ignore[arg-type]
                for cut in cuts
            ),
        )


async def get_sweep(store: StateStore, sweep_id: str) -> SweepRow | None:
    """Return a sweep, or None."""
    row = await store.get(SweepRow.key(sweep_id))
    return None if row is None else SweepRow.from_row(row)


async def change_sweep(
    store: StateStore, sweep_id: str, change: Callable[[SweepRow], SweepRow]
) -> SweepRow:
    """Replace the row by `change(row)` in one transaction; return the new one.

    Raises:
        NotFoundError: It is gone.
    """

    def change_row(row: Row | None) -> Row:
        if row is None:
            raise NotFoundError(f"Sweep {sweep_id} is gone.")
        return change(SweepRow.from_row(row)).to_row()

    return SweepRow.from_row(await store.update(SweepRow.key(sweep_id), change_row))


async def read_member_runs(store: StateStore, sweep: SweepRow) -> dict[str, RunRow]:
    """Return the rows of a sweep's runs by run id, those that are there."""
    rows = await store.get_many([RunRow.key(one.run_id) for one in sweep.members])
    runs = [RunRow.from_row(row) for row in rows if row is not None]
    return {run.run_id: run for run in runs}
