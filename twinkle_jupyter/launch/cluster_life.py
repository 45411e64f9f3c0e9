"""The life of the cluster process: Ray up, actors placed, models loaded on demand, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import time

import psutil

from twinkle_jupyter.actors.names import RUNS_ACTOR
from twinkle_jupyter.actors.placement import place
from twinkle_jupyter.actors.ray_handles import NamedActor
from twinkle_jupyter.actors.runs_actor import RunsActor
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.ids import new_error_id
from twinkle_jupyter.launch.announce import Announcer
from twinkle_jupyter.launch.base_model_loader import BaseModelLoader
from twinkle_jupyter.launch.lease import is_held
from twinkle_jupyter.launch.ray_head import find_ray_processes, start_head
from twinkle_jupyter.store.artifacts import sweep
from twinkle_jupyter.store.opening import LONG_PATIENCE_S, open_store

_LOGGER = logging.getLogger(__name__)

#: How long the cluster goes on without a service: long enough for a restart, no longer.
_ORPHAN_S = 8.0
_WATCH_S = 0.5
_LEAVE_S = 8.0
_START_TIMEOUT_S = 120.0


async def run_cluster(config: ServiceConfig, token: str) -> None:
    """Bring everything up, then wait until it is time to end.

    Args:
        config: Settings of the service.
        token: Guards Ray; its environment was set before Ray was imported.
    """
    is_over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, is_over.set)
    store = open_store(config.store_address, LONG_PATIENCE_S)
    announcer = Announcer(store)
    loader = BaseModelLoader(store, announcer, config)
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(_end_without_service(config, is_over))
        work = tasks.create_task(_work(config, token, announcer, loader))
        await is_over.wait()
        work.cancel()
        watch.cancel()
    await _leave(loader)
    await announcer.say("stopped", "")
    await store.close()


async def _work(
    config: ServiceConfig, token: str, announcer: Announcer, loader: BaseModelLoader
) -> None:
    try:
        await _bring_up(config, token, announcer, loader)
    except Exception:
        error_id = new_error_id()
        _LOGGER.exception("the cluster could not go on, %s", error_id)
        await announcer.say("failed", f"Ray could not be used: internal error, id {error_id}.")
        raise


async def _bring_up(
    config: ServiceConfig, token: str, announcer: Announcer, loader: BaseModelLoader
) -> None:
    await announcer.say("starting", "Starting Ray")
    await loader.forget_last_life()
    # Whatever was writing there has ended with its cluster.
    await asyncio.to_thread(sweep, config.artifacts)
    first = loader.load(config.base_model)
    head = await asyncio.to_thread(start_head, config.threads, token)
    head.write(config.cluster_path)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch_ray(find_ray_processes()))
        await _place_runs_actor(config)
        loader.ray_is_up()
        tasks.create_task(_keep_runs_going())
        loaded = await first
        if loaded.phase == "failed":
            await announcer.say("failed", loaded.message)
        else:
            await announcer.say("ready", "")
        tasks.create_task(loader.serve_wishes())


async def _watch_ray(processes: list[psutil.Process]) -> None:
    """End this process with any of Ray's: the service starts another, and every run goes on."""
    while True:
        await asyncio.sleep(_WATCH_S)
        if any(not process.is_running() or _is_zombie(process) for process in processes):
            break
    _LOGGER.error("a process of Ray's has ended: beginning anew")
    # Ray would wait for its own dead; those who are left end with their parents.
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(1)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def _keep_runs_going() -> None:
    """A runs actor that Ray has restarted begins to watch the store when it is asked."""
    while True:
        await asyncio.sleep(_WATCH_S)
        try:
            await NamedActor(RUNS_ACTOR).tell(_LEAVE_S, "ping")
        except TwinkleError as error:
            _LOGGER.warning("the runs actor is away: %s", error)


async def _place_runs_actor(config: ServiceConfig) -> None:
    actor = place(
        RunsActor,
        RUNS_ACTOR,
        functools.partial(open_store, config.store_address, LONG_PATIENCE_S),
        str(config.artifacts),
        config.trainer_settings,
        str(config.home / "runs.log"),
    )
    await actor.tell(_START_TIMEOUT_S, "ping")


async def _end_without_service(config: ServiceConfig, is_over: asyncio.Event) -> None:
    alone_since: float | None = None
    while not is_over.is_set():
        if await asyncio.to_thread(is_held, config.lock_path):
            alone_since = None
        elif alone_since is None:
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since > _ORPHAN_S:
            _LOGGER.warning("no service for %.0f s: ending", _ORPHAN_S)
            is_over.set()
        await asyncio.sleep(_WATCH_S)


async def _leave(loader: BaseModelLoader) -> None:
    """Let every run come to a checkpoint, then end Ray."""
    import ray

    if not ray.is_initialized():
        return
    try:
        await NamedActor(RUNS_ACTOR).tell(_LEAVE_S, "leave")
    except TwinkleError as error:
        _LOGGER.warning("runs were not brought to a checkpoint: %s", error)
    await loader.leave(_LEAVE_S)
    await asyncio.to_thread(ray.shutdown)
