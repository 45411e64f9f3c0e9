"""Adapters that clients train: whose they are, and that the trainer has them.

A client's `model_id` is our adapter id. What it asks for is written down first and made when it
asks for the outcome, by whichever replica it asks: nothing is lost with a process in between.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from weakref import WeakValueDictionary

from twinkle_jupyter.config.linear_layers import ModelPart, find_targets
from twinkle_jupyter.errors import (
    ConflictError,
    NotFoundError,
    ServiceUnavailableError,
    TwinkleError,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runs.base_model_wishes import read_base_model
from twinkle_jupyter.runtime.handles import AdapterSpec, TrainerHandle
from twinkle_jupyter.service.clients.op_quota import OpQuota
from twinkle_jupyter.service.clients.readable_weights import check_readable
from twinkle_jupyter.service.clients.sessions import reopen
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import delete_folder, has_folder
from twinkle_jupyter.store.client_rows import ClientAdapterRow, WeightsToLoad
from twinkle_jupyter.store.hold import held
from twinkle_jupyter.store.interface import JSON, Row
from twinkle_jupyter.store.records import now

_NOTE_EVERY = timedelta(minutes=1)
#: Seconds after which another process may do what one that died has begun.
_ALONE_S = 6.0
_LOOK_EVERY_S = 0.2


class ClientAdapters:
    """All of a service."""

    def __init__(self, parts: ServiceParts) -> None:
        self._parts = parts
        self.queue = OpQuota(parts.quotas)
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def write(self, row: ClientAdapterRow) -> None:
        """Write a new adapter's row.

        Raises:
            ConflictError: There is another one.
            QuotaExceededError: The user has as many as they may.
        """
        async with self._parts.quotas.room_for_adapters(row.owner, [row.adapter_id]):
            is_new = await self._parts.store.put_if_absent(
                ClientAdapterRow.key(row.owner, row.adapter_id), row.to_row()
            )
        if is_new:
            return
        known = await self.get(row.owner, row.adapter_id)
        shape = ("base_model", "rank", "alpha", "seed", "trains", "targets", "session_id")
        # As JSON: a store brings a tuple back as a list.
        theirs, ours = (json.loads(json.dumps(asdict(one))) for one in (known, row))
        wrong = [name for name in shape if theirs[name] != ours[name]]
        if wrong:
            raise ConflictError(
                f"Model {row.adapter_id!r} exists with another {', '.join(wrong)}.",
                "Create it in a new session.",
            )

    async def get(self, owner: str, adapter_id: str) -> ClientAdapterRow:
        """Return this user's adapter.

        Raises:
            NotFoundError: They have none of that id.
        """
        row = await self._parts.store.get(ClientAdapterRow.key(owner, adapter_id))
        if row is None:
            raise NotFoundError(f"There is no model {adapter_id!r}.")
        return ClientAdapterRow.from_row(row)

    async def of(self, owner: str) -> list[ClientAdapterRow]:
        """Return this user's adapters, newest first."""
        rows = await self._parts.store.list_rows(ClientAdapterRow.key(owner, ""))
        found = [ClientAdapterRow.from_row(row) for _, row in rows]
        return sorted(found, key=lambda row: row.created_at, reverse=True)

    async def of_session(self, owner: str, session_id: str) -> list[ClientAdapterRow]:
        """Return the adapters of one session of this user's."""
        prefix = ClientAdapterRow.prefix_of_session(owner, session_id)
        rows = await self._parts.store.list_rows(prefix)
        found = [ClientAdapterRow.from_row(row) for _, row in rows]
        return [row for row in found if row.session_id == session_id]

    async def trainer_of(self, row: ClientAdapterRow) -> TrainerHandle:
        """Return the trainer of its base model; raises ServiceUnavailableError without one."""
        return (await self._parts.compute(row.base_model)).trainer

    async def made(self, row: ClientAdapterRow) -> ClientAdapterRow:
        """Return the adapter as the trainer has it, having it made or loaded if it is to be.

        May be repeated, and cancelled, at any time.

        Raises:
            ServiceUnavailableError: There is no trainer now.
            TwinkleError: It cannot be made.
        """
        if row.is_made and not row.to_load:
            return row
        async with self._alone(row):
            row = await self.get(row.owner, row.adapter_id)
            trainer = await self.trainer_of(row)
            if not row.is_made and not row.to_load:
                await trainer.create_adapter(
                    AdapterId(row.adapter_id), await self._spec(row), user=row.owner
                )
                return await self._change(row, is_made=True)
            if (weights := row.weights_to_load) is not None:
                # What was put away is one more again.
                async with self._parts.quotas.room_for_adapters(row.owner, [row.adapter_id]):
                    return await self._load(trainer, row, weights)
            return row

    @asynccontextmanager
    async def _alone(self, row: ClientAdapterRow) -> AsyncIterator[None]:
        """Nobody else makes, loads or puts away this adapter, in this process or another."""
        lock = self._making.setdefault(row.adapter_id, asyncio.Lock())
        name = f"adapter/{row.adapter_id}"
        async with lock, held(self._parts.store, name, _ALONE_S, look_every_s=_LOOK_EVERY_S):
            yield

    async def begin_load(self, row: ClientAdapterRow, weights: WeightsToLoad) -> None:
        """Write down that the adapter becomes a checkpoint, between two of the client's ops."""
        while True:
            async with self._alone(row):  # or what puts it away would overwrite it
                row = await self.get(row.owner, row.adapter_id)
                is_pending = row.to_load.get("sequence_id") == weights.sequence_id
                if is_pending or row.has_loaded(weights.sequence_id):
                    return  # sent again
                if row.is_made and not row.to_load:
                    await self._change(row, to_load=weights.to_row())
                    return
            await self.made(row)

    async def used(self, row: ClientAdapterRow) -> None:
        """The trainer has taken in an op of it: take note, not at every step.

        What it was once put away as, by a service that died over it, is the past now.
        """
        before = datetime.now(tz=UTC) - _NOTE_EVERY
        if datetime.fromisoformat(row.used_at) < before:
            await self._change(row, used_at=now())
        if row.parked:
            await self._forget_parked(row)

    async def put_away(self, row: ClientAdapterRow) -> bool:
        """Bring the adapter to disk and give its slot back; its next op brings it back.

        False, and nothing changes, where an op comes in between.

        Raises:
            ServiceUnavailableError: There is no trainer now.
            NotFoundError: The trainer does not have it.
        """
        adapter_id = AdapterId(row.adapter_id)
        async with self._alone(row):
            row = await self.get(row.owner, row.adapter_id)
            if not row.is_made or row.to_load:
                return True  # not there yet, or away already
            trainer = await self.trainer_of(row)
            position = await trainer.position(adapter_id)
            if position is None:
                raise NotFoundError(f"Model {row.adapter_id!r} is not on its trainer.")
            last_id = position.next_sequence_id - 1 + row.id_offset
            folder = self._parts.config.client_weights_folder(
                row.adapter_id, "parked", secrets.token_hex(8)
            )
            # Written down before: whoever looks for it after a crash in between finds it.
            weights = WeightsToLoad("", str(folder), with_optimizer=True, sequence_id=last_id)
            parked = weights.to_row()
            await self._change(row, parked=parked)
            is_parked = await trainer.park(adapter_id, str(folder), position.next_sequence_id)
            await self._change(row, parked={}, to_load=parked if is_parked else {})
            if not is_parked:
                await asyncio.to_thread(delete_folder, folder)
            return is_parked

    async def found_again(self, row: ClientAdapterRow) -> bool:
        """Whether an adapter that its trainer does not have was put away; it is loaded next."""
        row = await self.get(row.owner, row.adapter_id)
        folder = row.parked.get("folder")
        is_there = isinstance(folder, str) and await asyncio.to_thread(has_folder, Path(folder))
        if is_there and not row.to_load:
            row = await self._change(row, parked={}, to_load=row.parked)
        return bool(row.to_load)

    async def _forget_parked(self, row: ClientAdapterRow) -> None:
        # Another one is being put away at this moment, or is not.
        await self._update(
            row, lambda found: found.changed(parked={}) if found.parked == row.parked else found
        )

    async def _load(
        self, trainer: TrainerHandle, row: ClientAdapterRow, weights: WeightsToLoad
    ) -> ClientAdapterRow:
        adapter_id, next_id = AdapterId(row.adapter_id), 1
        # Whatever was sent before is carried out before.
        position = await trainer.position(adapter_id)
        try:
            await check_readable(self._parts, row.owner, weights)
            is_fresh = not weights.with_optimizer
            await trainer.load_adapter(
                adapter_id, weights.folder, user=row.owner, fresh_optimizer=is_fresh
            )
        except ServiceUnavailableError:
            raise
        except TwinkleError as error:
            if not row.is_made or position is None:
                raise
            next_id = position.next_sequence_id
            failed = {**row.failed_loads, str(weights.sequence_id): str(error)}
            row = row.changed(failed_loads=failed)
        # The client's next op is the trainer's `next_id`.
        row = await self._change(
            row,
            is_made=True,
            to_load={},
            id_offset=weights.sequence_id + 1 - next_id,
            failed_loads=dict(row.failed_loads),
        )
        if not weights.path:  # it was put away there, and is back
            await reopen(self._parts.store, row.owner, row.session_id)
            await asyncio.to_thread(delete_folder, Path(weights.folder))
        return row

    async def _spec(self, row: ClientAdapterRow) -> AdapterSpec:
        targets = tuple(row.targets)
        if not targets and set(row.trains) != {"attn", "mlp"}:
            model = await read_base_model(self._parts.store, row.base_model)
            if model is None or not model.folder:
                raise ServiceUnavailableError(f"Base model {row.base_model!r} is not loaded yet.")
            parts = cast("list[ModelPart]", list(row.trains))
            targets = await asyncio.to_thread(find_targets, Path(model.folder), parts)
        return AdapterSpec(row.rank, row.alpha, row.seed, targets)

    async def _change(self, row: ClientAdapterRow, **changes: JSON) -> ClientAdapterRow:
        return await self._update(row, lambda found: found.changed(**changes))

    async def _update(
        self, row: ClientAdapterRow, change: Callable[[ClientAdapterRow], ClientAdapterRow]
    ) -> ClientAdapterRow:
        def change_row(current: Row | None) -> Row:
            if current is None:
                raise NotFoundError(f"There is no model {row.adapter_id!r}.")
            return change(ClientAdapterRow.from_row(current)).to_row()

        key = ClientAdapterRow.key(row.owner, row.adapter_id)
        return ClientAdapterRow.from_row(await self._parts.store.update(key, change_row))
