"""Brings base models that somebody wished for onto the disk and into a trainer and a sampler."""

from __future__ import annotations

import asyncio
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
from twinkle_jupyter.launch.model_fetch import FetchProgress, ensure_base_model
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
            await self._tell(
                BaseModelRow(name, "loading", f"Loading weights of {name}", str(folder))
            )
            await self._ray_is_up.wait()
            await self._place(name, folder)
            return BaseModelRow(name, "ready", "", str(folder))
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
                asyncio.run_coroutine_threadsafe(self._tell(row), loop).result(_WAIT_S)

        return await asyncio.to_thread(ensure_base_model, name, on_progress)

    async def _place(self, name: str, folder: Path) -> None:
        from twinkle_jupyter.actors.placement import place
        from twinkle_jupyter.actors.sampler_actor import SamplerActor
        from twinkle_jupyter.actors.trainer_actor import JournalHome, TrainerActor

        home = self._config.home
        scratch = home / "scratch" / self._config.trainer_folder(name).name
        settings = replace(self._config.trainer, scratch=str(scratch))
        given = (str(folder), name, self._config.threads, settings)
        journal = JournalHome(
            functools.partial(open_store, self._config.store_address, LONG_PATIENCE_S),
            trainer_name(name),
            str(self._config.trainer_folder(name)),
        )
        log_file = str(home / "trainer.log")
        trainer = place(TrainerActor, trainer_name(name), *given, log_file, journal)
        sampler = place(SamplerActor, sampler_name(name), *given, str(home / "sampler.log"))
        await _start(trainer)
        # The first step need not wait for the sampler; what needs it does.
        await self._tell(BaseModelRow(name, "ready", "", str(folder)))
        await _start(sampler)

    async def _tell(self, row: BaseModelRow) -> None:
        await self._store.put(BaseModelRow.key(row.name), row.to_row())
        await self._store.append(BaseModelRow.LOG, {"name": row.name})
        if row.name == self._first and row.phase in ("fetching", "loading"):
            await self._announcer.say("starting", row.message)


async def _start(actor: NamedActor) -> None:
    """Wait until the actor has loaded the model; one that dies on the way is begun again by Ray."""
    deadline = time.monotonic() + _RESTARTS_S
    while True:
        try:
            return await actor.tell(_LOAD_TIMEOUT_S, "start")
        except ServiceUnavailableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_RESTART_PAUSE_S)
