"""Who uses what: from the store's rows, the disk, and what trainers say of themselves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from twinkle_jupyter.runtime.handles import ComputeStatus
from twinkle_jupyter.service.adapter_row import AdapterRow
from twinkle_jupyter.service.last_seen import read_last_seen
from twinkle_jupyter.service.notice_bodies import broadcast_body, maintenance_body
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.storage_use import OwnedFolder, count_bytes
from twinkle_jupyter.service.trainer_status import ask_trainers
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.notices import read_notices
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.admin import ModelUseBody, OverviewBody, UserUseBody


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the store has of everybody."""

    runs: Sequence[RunRow]
    adapters: Sequence[AdapterRow]
    client_adapters: Sequence[ClientAdapterRow]
    last_seen: dict[str, str]


async def read_overview(parts: ServiceParts) -> OverviewBody:
    """Put together what an admin sees of everybody."""
    rows = await _read_rows(parts)
    trainers = await ask_trainers(parts)
    sizes = await asyncio.to_thread(count_bytes, _folders(parts, rows))
    maintenance, broadcast = await read_notices(parts.store)
    return OverviewBody(
        users=tuple(_user_uses(rows, trainers, sizes)),
        base_models=tuple(_model_use(status) for status in trainers),
        runs=dict(Counter(run.state for run in rows.runs)),
        maintenance=maintenance_body(maintenance),
        broadcast=broadcast_body(broadcast),
    )


async def _read_rows(parts: ServiceParts) -> _Rows:
    store = parts.store
    runs = [RunRow.from_row(row) for _, row in await store.list_rows(RunRow.key(""))]
    named = [AdapterRow.from_row(row) for _, row in await store.list_rows("adapter/")]
    clients = [
        ClientAdapterRow.from_row(row) for _, row in await store.list_rows(ClientAdapterRow.PREFIX)
    ]
    return _Rows(runs, [one for one in named if one.run_id], clients, await read_last_seen(store))


def _folders(parts: ServiceParts, rows: _Rows) -> list[OwnedFolder]:
    config = parts.config
    runs = [OwnedFolder(run.owner, config.run_folder(run.run_id)) for run in rows.runs]
    clients = [
        OwnedFolder(one.owner, config.client_weights_folder(one.adapter_id, "-", "-").parents[1])
        for one in rows.client_adapters
    ]
    return runs + clients


def _user_uses(
    rows: _Rows, trainers: Sequence[ComputeStatus], sizes: Counter[str]
) -> list[UserUseBody]:
    loads = [load for status in trainers for load in status.users if load.user]
    adapters = Counter(one.owner for one in rows.adapters)
    adapters.update(one.owner for one in rows.client_adapters)
    users = {run.owner for run in rows.runs} | set(adapters) | set(rows.last_seen)
    users |= {load.user for load in loads}
    return [
        UserUseBody(
            user=user,
            num_adapters=adapters[user],
            num_active_adapters=sum(one.num_active for one in loads if one.user == user),
            runs=dict(Counter(run.state for run in rows.runs if run.owner == user)),
            queued_tokens=sum(one.queued_tokens for one in loads if one.user == user),
            tokens_per_minute=sum(one.tokens_per_minute for one in loads if one.user == user),
            storage_bytes=sizes[user],
            last_seen=rows.last_seen.get(user, ""),
        )
        for user in sorted(users)
    ]


def _model_use(status: ComputeStatus) -> ModelUseBody:
    return ModelUseBody(
        base_model=status.base_model,
        num_slots=status.num_slots,
        num_active_adapters=status.num_active,
        num_adapters=status.num_adapters,
        memory_bytes=status.memory_bytes,
        queued_ops=sum(one.queued_ops for one in status.users),
        queued_tokens=sum(one.queued_tokens for one in status.users),
        tokens_per_minute=sum(one.tokens_per_minute for one in status.users),
    )
