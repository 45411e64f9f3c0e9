"""How the service is, in numbers: found by the leader for all replicas, kept in the store.

Whichever replica is asked tells the same, so nothing is there twice. A leader that was replaced and
does not know it yet overwrites nothing: its epoch is the smaller one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from twinkle_jupyter.service.last_seen import read_last_seen
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.trainer_status import ask_trainers
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.notices import MaintenanceRow
from twinkle_jupyter.store.records import RunRow

KEY = "gauges"
#: How often the leader looks, and after how long without it the numbers are nobody's.
EVERY_S = 10.0
_LIVES_S = 60.0
#: A user who asked something within this time is active.
_ACTIVE = timedelta(minutes=5)

#: What each says; what ends in `_total` only grows, as long as the trainer's process lives.
_HELP = {
    "twinkle_runs": "Runs of all users, by state.",
    "twinkle_active_users": "Users who asked something in the last five minutes.",
    "twinkle_maintenance": "1 while no new work is taken in.",
    "twinkle_slots": "Adapters that one step can train.",
    "twinkle_active_adapters": "Adapters in slots.",
    "twinkle_adapters": "Adapters of the trainer, also those that wait in memory or on disk.",
    "twinkle_memory_bytes": "Base model and adapters in the trainer's memory.",
    "twinkle_queued_ops": "Training ops that wait or are under way.",
    "twinkle_queued_tokens": "Tokens of these.",
    "twinkle_tokens_per_minute": "Tokens trained on in the last minute.",
    "twinkle_tokens_total": "Tokens trained on since the trainer's process began.",
    "twinkle_leader_epoch": "Number of the leader that found these.",
}

#: `[name, label, label's value, number]`.
_Sample = tuple[str, str, str, float]


async def take_gauges(parts: ServiceParts, epoch: int) -> None:
    """Find all and write them down, as the leader of this epoch."""
    samples = [*await _of_store(parts.store), *await _of_trainers(parts)]
    samples.append(("twinkle_leader_epoch", "", "", epoch))
    row: Row = {"epoch": epoch, "samples": [list(one) for one in samples]}

    def change(known: Row | None) -> Row:
        is_old = known is not None and cast("int", known["epoch"]) > epoch
        return cast("Row", known) if is_old else row

    written = await parts.store.update(KEY, change)
    # A leader that comes back to nothing has nobody after it.
    await parts.store.replace(KEY, written, written, ttl_s=_LIVES_S)


async def read_gauges(store: StateStore) -> str:
    """Return them as Prometheus reads them; those that nobody has found lately are not there."""
    row = await store.get(KEY)
    samples = cast("Sequence[_Sample]", row["samples"]) if row is not None else ()
    by_name: dict[str, list[_Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample[0], []).append(sample)
    lines = []
    for name, found in by_name.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} {kind}"]
        lines += [_line(*sample) for sample in found]
    return "".join(f"{line}\n" for line in lines)


async def _of_store(store: StateStore) -> list[_Sample]:
    states = Counter(str(row["state"]) for _, row in await store.list_rows(RunRow.key("")))
    since = (datetime.now(tz=UTC) - _ACTIVE).isoformat(timespec="milliseconds")
    seen = await read_last_seen(store)
    rests = await store.get(MaintenanceRow.KEY) is not None
    return [
        *(("twinkle_runs", "state", state, float(count)) for state, count in states.items()),
        ("twinkle_active_users", "", "", float(sum(at >= since for at in seen.values()))),
        ("twinkle_maintenance", "", "", float(rests)),
    ]


async def _of_trainers(parts: ServiceParts) -> list[_Sample]:
    samples: list[_Sample] = []
    for status in await ask_trainers(parts):
        numbers: Mapping[str, int] = {
            "twinkle_slots": status.num_slots,
            "twinkle_active_adapters": status.num_active,
            "twinkle_adapters": status.num_adapters,
            "twinkle_memory_bytes": status.memory_bytes,
            "twinkle_queued_ops": sum(one.queued_ops for one in status.users),
            "twinkle_queued_tokens": sum(one.queued_tokens for one in status.users),
            "twinkle_tokens_per_minute": sum(one.tokens_per_minute for one in status.users),
            "twinkle_tokens_total": sum(one.tokens_served for one in status.users),
        }
        samples += [(name, "base_model", status.base_model, n) for name, n in numbers.items()]
    return samples


def _line(name: str, label: str, value: str, number: float) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}{{{label}="{escaped}"}} {number:g}' if label else f"{name} {number:g}"
