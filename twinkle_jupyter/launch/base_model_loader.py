"""Brings base models that somebody wished for onto the disk and into a trainer and a sampler."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.actors.names import sampler_name, trainer_name
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import new_error_id
from twinkle_jupyter.launch.announce import Announcer
from twinkle_jupyter.launch.dtype_decision import decide_dtype
from twinkle_jupyter.launch.model_fetch import FetchProgress, ensure_base_model
from twinkle_jupyter.launch.sampler_placement import (
    choose_placement,
    count_base_bytes,
    read_gpu_bytes,
)
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.opening import LONG_PATIENCE_S, open_store
from twinkle_jupyter.store.records import BaseModelRow

if TYPE_CHECKING:
    from twinkle_jupyter.actors.ray_handles import NamedActor

_LOGGER = logging.getLogger(__name__)

_WAIT_S = 5.0
_LOAD_TIMEOUT_S = 1800.0
#: An actor that cannot load its model for this long will not.
_RESTARTS_S = 120.0
_RESTART_PAUSE_S = 0.5
#: A row a second at most while a model is fetched.
_PROGRESS_S = 1.0


class BaseModelLoader:
    """Fetches at once, places actors when Ray is there.

    Args:
        store: Where wishes are read and progress is written.
        announcer: Told how the first model comes along: the service starts until it is there.
        config: Names the first model, and says how actors compute and where they log.
    """

    def __init__(self, store: StateStore, announcer: Announcer, config: ServiceConfig) -> None:
        self._config = config
        self._store = store
        self._first = config.base_model
        self._announcer = announcer
        self._ray_is_up = asyncio.Event()
        self._loading: dict[str, asyncio.Task[BaseModelRow]] = {}

    def ray_is_up(self) -> None:
        """Actors can be placed from now on."""
        self._ray_is_up.set()

    async def forget_last_life(self) -> None:
        """Rows of an earlier cluster say nothing about this one."""
        for key, _ in await self._store.list_rows(BaseModelRow.PREFIX):
            await self._store.delete(key)

    async def serve_wishes(self) -> None:
        """Load every model that is wished for, until cancelled."""
        while True:
            seen = await self._store.last_position(BaseModelRow.LOG)
            for _, row in await self._store.list_rows(BaseModelRow.PREFIX):
                wish = BaseModelRow.from_row(row)
                if wish.phase == "wanted":
                    self.load(wish.name)
            await self._store.wait(BaseModelRow.LOG, seen, _WAIT_S)

    def load(self, name: str) -> asyncio.Task[BaseModelRow]:
        """Begin to load unless it is under way; the task returns `ready` or `failed`."""
        task = self._loading.get(name)
        if task is None or task.done():
            task = asyncio.create_task(self._load(name), name=f"load {name}")
            self._loading[name] = task
        return task

    async def leave(self, timeout_s: float) -> None:
        """Bring every trainer's adapters to disk, so that the next start repeats nothing."""
        from twinkle_jupyter.actors.ray_handles import NamedActor

        for name, task in self._loading.items():
            if not task.done():
                continue
            try:
                await NamedActor(trainer_name(name)).tell(timeout_s, "leave")
            except TwinkleError as error:
                _LOGGER.warning("the trainer of %s will repeat its newest steps: %s", name, error)

    async def _load(self, name: str) -> BaseModelRow:
        try:
            await self._tell(BaseModelRow(name, "fetching", f"Looking for {name}"))
            folder = await self._fetch(name)
            await self._tell(BaseModelRow(name, "fetching", f"Measuring {name} on this machine"))
            loading = await self._plan(name, folder)
            await self._tell(loading)
            await self._ray_is_up.wait()
            return await self._place(loading)
        except TwinkleError as error:
            failed = BaseModelRow(name, "failed", str(error))
        except Exception:
            error_id = new_error_id()
            _LOGGER.exception("base model %s was not loaded, %s", name, error_id)
            message = f"Base model {name!r} was not loaded: internal error, id {error_id}."
            failed = BaseModelRow(name, "failed", message)
        await self._tell(failed)
        return failed

    async def _fetch(self, name: str) -> Path:
        loop = asyncio.get_running_loop()
        told_at = 0.0

        def on_progress(progress: FetchProgress) -> None:
            nonlocal told_at
            if time.monotonic() - told_at >= _PROGRESS_S:
                told_at = time.monotonic()
                row = BaseModelRow(name, "fetching", str(progress))
                # A store that is away costs the news, not the download.
                with contextlib.suppress(TimeoutError, ServiceUnavailableError):
                    asyncio.run_coroutine_threadsafe(self._tell(row), loop).result(_WAIT_S)

        source = self._config.source_of(name)
        return await asyncio.to_thread(ensure_base_model, source, on_progress)

    async def _plan(self, name: str, folder: Path) -> BaseModelRow:
        decided = await decide_dtype(
            self._config.trainer_of(name).dtype,
            folder,
            self._config.trainer_folder(name),
            self._config.threads,
        )
        _LOGGER.info("%s is computed in %s", name, decided)
        return BaseModelRow(
            name,
            "loading",
            f"Loading weights of {name} in {decided}",
            str(folder),
            dtype=decided.dtype,
            dtype_reason=decided.reason,
            num_samplers=self._config.sampler_of(name).replicas,
        )

    async def _place(self, row: BaseModelRow) -> BaseModelRow:
        from twinkle_jupyter.actors.gpu_shares import count_free_gpus, share_for_both, share_gpus

        free = await asyncio.to_thread(count_free_gpus)
        for_trainer = self._config.trainer_of(row.name).gpus
        sampler = self._config.sampler_of(row.name)
        placement = choose_placement(
            sampler.placement_wish,
            free,
            await read_gpu_bytes() if free else None,
            count_base_bytes(Path(row.folder), row.dtype),
        )
        row = replace(row, sampler_placement=placement)
        if placement == "with_trainer":
            trainer = self._place_trainer(row, share_for_both(free, for_trainer))
            parts = [(trainer, "start_sampler")]
        else:
            gpus = share_gpus(free, row.num_samplers, for_trainer, sampler.gpus)
            trainer = self._place_trainer(row, gpus.trainer)
            numbers = range(row.num_samplers)
            parts = [(self._place_sampler(row, n, gpus.sampler), "start") for n in numbers]
        await _start(trainer)
        # The first step need not wait for the sampler; what needs it does.
        row = replace(row, phase="ready", message="")
        await self._tell(row)
        for actor, method in parts:
            await _start(actor, method)
        return row

    def _place_trainer(self, row: BaseModelRow, num_gpus: float) -> NamedActor:
        from twinkle_jupyter.actors.placement import place
        from twinkle_jupyter.actors.trainer_actor import JournalHome, TrainerActor
        from twinkle_jupyter.actors.trainer_with_sampler_actor import TrainerWithSamplerActor

        name = row.name
        settings = self._config.trainer_settings(name, row.dtype)
        settings = replace(settings, scratch=str(self._scratch(name)))
        journal = JournalHome(
            functools.partial(open_store, self._config.store_address, LONG_PATIENCE_S),
            trainer_name(name),
            str(self._config.trainer_folder(name)),
        )
        log_file = str(self._config.home / "trainer.log")
        shared = (row.folder, name, self._config.threads)
        if row.sampler_placement == "with_trainer":
            both = (settings, self._config.sampler_of(name).settings(row.dtype, 1.0))
            given = (*shared, both, log_file, journal)
            return place(TrainerWithSamplerActor, trainer_name(name), *given, num_gpus=num_gpus)
        alone = (*shared, settings, log_file, journal)
        return place(TrainerActor, trainer_name(name), *alone, num_gpus=num_gpus)

    def _place_sampler(self, row: BaseModelRow, number: int, num_gpus: float) -> NamedActor:
        from twinkle_jupyter.actors.placement import place
        from twinkle_jupyter.actors.sampler_actor import SamplerActor

        name = sampler_name(row.name, number)
        settings = self._config.sampler_of(row.name).settings(row.dtype, min(1.0, num_gpus))
        # Beside the trainer's own, which that empties whenever it starts.
        scratch = self._scratch(row.name).with_name(
            f"{self._scratch(row.name).name}-sampler-{number}"
        )
        settings = replace(settings, scratch=str(scratch))
        log_file = str(self._config.home / "sampler.log")
        given = (row.folder, row.name, self._config.threads, settings, log_file)
        return place(SamplerActor, name, *given, num_gpus=num_gpus)

    def _scratch(self, name: str) -> Path:
        return self._config.home / "scratch" / self._config.trainer_folder(name).name

    async def _tell(self, row: BaseModelRow) -> None:
        await self._store.put(BaseModelRow.key(row.name), row.to_row())
        await self._store.append(BaseModelRow.LOG, {"name": row.name})
        if row.name == self._first and row.phase in ("fetching", "loading"):
            await self._announcer.say("starting", row.message)


async def _start(actor: NamedActor, method: str = "start") -> None:
    """Wait until the actor has loaded the model; one that dies on the way is begun again by Ray."""
    deadline = time.monotonic() + _RESTARTS_S
    while True:
        try:
            return await actor.tell(_LOAD_TIMEOUT_S, method)
        except ServiceUnavailableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_RESTART_PAUSE_S)
