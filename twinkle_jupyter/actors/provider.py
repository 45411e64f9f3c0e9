"""Trainer and sampler by base model: wished for in the store, found through Ray."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from twinkle_jupyter.actors.names import trainer_name
from twinkle_jupyter.actors.ray_handles import RayTrainerHandle
from twinkle_jupyter.actors.sampler_replicas import find_samplers
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import InvalidConfigError, ServiceUnavailableError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runs.base_model_wishes import read_base_model, wish_again
from twinkle_jupyter.runs.compute import PreparedModel
from twinkle_jupyter.runtime.forgotten import forget_at_start
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import BaseModelRow

#: A large model on a slow line.
_LOAD_TIMEOUT_S = 3600.0
_WAIT_S = 1.0


class RayComputeProvider:
    """A `ComputeProvider`: whoever asks first makes the cluster load the model.

    Args:
        store: Where models are wished for.
        settings_of: Tells how the trainer of a base model computes, in a number type.
    """

    def __init__(
        self, store: StateStore, settings_of: Callable[[str, str], TrainerSettings]
    ) -> None:
        self._store = store
        self._settings_of = settings_of

    async def prepare(
        self, base_model: str, say: Callable[[str], Awaitable[None]]
    ) -> PreparedModel:
        """Return folder and settings once the model's files are on disk."""
        row = await self._wait(base_model, say, lambda row: bool(row.folder))
        return PreparedModel(Path(row.folder), self._settings_of(base_model, row.dtype))

    async def compute(self, base_model: str, say: Callable[[str], Awaitable[None]]) -> Compute:
        """Return trainer and sampler once both have loaded the model."""
        row = await self._wait(base_model, say, lambda row: row.phase == "ready")
        trainer = RayTrainerHandle(trainer_name(base_model))
        sampler = find_samplers(base_model, row.num_samplers, row.sampler_placement)
        await trainer.status()
        return Compute(trainer, sampler)

    async def forget(self, base_model: str, adapter_id: AdapterId) -> None:
        """Take an adapter off its trainer, now or when there is one again."""
        name = trainer_name(base_model)
        try:
            await RayTrainerHandle(name).remove_adapter(adapter_id)
        except ServiceUnavailableError:
            # The actor's journal has its name.
            await forget_at_start(self._store, name, adapter_id)

    async def _wait(
        self,
        base_model: str,
        say: Callable[[str], Awaitable[None]],
        is_enough: Callable[[BaseModelRow], bool],
    ) -> BaseModelRow:
        row, told = await wish_again(self._store, base_model), ""
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
            row = await read_base_model(self._store, base_model) or row
            if not is_enough(row):
                await self._store.wait(BaseModelRow.LOG, seen, _WAIT_S)
                row = await read_base_model(self._store, base_model) or row
        return row
