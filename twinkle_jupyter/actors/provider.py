"""Trainer and sampler by base model: wished for in the store, found through Ray."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from twinkle_jupyter.actors.names import sampler_name, trainer_name
from twinkle_jupyter.actors.ray_handles import RaySamplerHandle, RayTrainerHandle
from twinkle_jupyter.errors import InvalidConfigError, ServiceUnavailableError
from twinkle_jupyter.runs.compute import Compute
from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import BaseModelRow

#: A large model on a slow line.
_LOAD_TIMEOUT_S = 3600.0
_WAIT_S = 1.0


class RayComputeProvider:
    """A `ComputeProvider`: whoever asks first makes the cluster load the model."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def folder(self, base_model: str, say: Callable[[str], Awaitable[None]]) -> Path:
        """Return the folder once the model's files are on disk."""
        row = await self._wait(base_model, say, lambda row: bool(row.folder))
        return Path(row.folder)

    async def compute(self, base_model: str, say: Callable[[str], Awaitable[None]]) -> Compute:
        """Return trainer and sampler once both have loaded the model."""
        row = await self._wait(base_model, say, lambda row: row.phase == "ready")
        trainer = RayTrainerHandle(trainer_name(base_model))
        sampler = RaySamplerHandle(sampler_name(base_model))
        await trainer.status()
        return Compute(trainer, sampler, Path(row.folder))

    async def _wait(
        self,
        base_model: str,
        say: Callable[[str], Awaitable[None]],
        is_enough: Callable[[BaseModelRow], bool],
    ) -> BaseModelRow:
        row, told = await self._wish(base_model), ""
        deadline = time.monotonic() + _LOAD_TIMEOUT_S
        while not is_enough(row):
            if row.phase == "failed":
                raise InvalidConfigError(row.message)
            if time.monotonic() > deadline:
                raise ServiceUnavailableError(
                    f"Base model {base_model!r} was not loaded within {_LOAD_TIMEOUT_S:.0f} s.",
                    "`%twinkle log` shows what the service is doing.",
                )
            if row.message and row.message != told:
                told = row.message
                await say(told)
            seen = await self._store.last_position(BaseModelRow.LOG)
            row = await self._read(base_model) or row
            if not is_enough(row):
                await self._store.wait(BaseModelRow.LOG, seen, _WAIT_S)
                row = await self._read(base_model) or row
        return row

    async def _wish(self, base_model: str) -> BaseModelRow:
        row = await self._read(base_model)
        if row is not None and row.phase != "failed":
            return row

        def wish(row: Row | None) -> Row:
            if row is not None and BaseModelRow.from_row(row).phase != "failed":
                return row
            return BaseModelRow(base_model).to_row()

        new = BaseModelRow.from_row(await self._store.update(BaseModelRow.key(base_model), wish))
        await self._store.append(BaseModelRow.LOG, {"name": base_model})
        return new

    async def _read(self, base_model: str) -> BaseModelRow | None:
        row = await self._store.get(BaseModelRow.key(base_model))
        return None if row is None else BaseModelRow.from_row(row)
