"""The service process: HTTP over the store, with the cluster process beside it.

The first one of a home keeps its cluster going and writes the connection file when it answers. A
replica answers beside it, from the same store and by the same cluster, and takes its place when it
is gone. Each ends when told to, or when whoever started it is gone; the last one ends the cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from twinkle_jupyter import __version__
from twinkle_jupyter.client.discovery import Connection, remove_connection, write_connection
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import InvalidConfigError, TwinkleError
from twinkle_jupyter.launch.announce import Announcer
from twinkle_jupyter.launch.base_model_check import check_base_model
from twinkle_jupyter.launch.cluster_process import ClusterProcess
from twinkle_jupyter.launch.compute_access import ComputeAccess
from twinkle_jupyter.launch.export_process import ExportProcess
from twinkle_jupyter.launch.leader import Duty, Leader
from twinkle_jupyter.launch.local_key import local_api_key
from twinkle_jupyter.launch.service_place import ServicePlace
from twinkle_jupyter.launch.stored_state import check_stored_state
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.clients.expiry import delete_expired
from twinkle_jupyter.service.departed_users import DepartedUsers
from twinkle_jupyter.service.gauges import EVERY_S as GAUGES_EVERY_S
from twinkle_jupyter.service.gauges import take_gauges
from twinkle_jupyter.service.hub_users import HubUsers
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.tinker.state import TinkerState
from twinkle_jupyter.store.audit import cut_acts
from twinkle_jupyter.store.opening import LONG_PATIENCE_S, SHORT_PATIENCE_S, open_store
from twinkle_jupyter.store.records import PhaseRow
from twinkle_jupyter.telemetry import log_to_file

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Server

_LOGGER = logging.getLogger(__name__)

#: Open event streams get this long to end when the service does.
_DRAIN_S = 2
#: What the leader does for everybody.
_SESSIONS_EVERY_S = 15.0
_WEIGHTS_EVERY_S = 60.0
_AUDIT_EVERY_S = 600.0


def serve(
    config: ServiceConfig, *, until_stdin_closes: bool = False, replica: bool = False
) -> None:
    """Run the service until it is told to end.

    Args:
        config: Settings.
        until_stdin_closes: End when stdin does, which happens however the parent process ends.
        replica: Be there beside other services of this home.

    Raises:
        ConflictError: Another service has this home.
        ConfigDriftError: Stored state was made with other settings.
        InvalidConfigError: The address cannot be listened on.
    """
    # Runs, weights and logs are their owner's only, also in a home folder that others can enter.
    os.umask(0o077)
    place = ServicePlace.take_any(config) if replica else ServicePlace.take_first(config)
    log_to_file(place.log_path, config.telemetry.log_level)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(config, place, until_stdin_closes=until_stdin_closes))
    except TwinkleError as error:
        # Whoever started it may not see stderr.
        _LOGGER.error("the service does not start: %s", error)  # noqa: TRY400 - a sentence
        raise
    finally:
        remove_connection(os.getpid())
        place.release()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the service's event loop, None for asyncio's own."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(config: ServiceConfig, place: ServicePlace, *, until_stdin_closes: bool) -> None:
    listener = await _claim(config, place)
    store = open_store(config.store_address, SHORT_PATIENCE_S)
    await store.get(PhaseRow.KEY)  # a server that is not there is said before anything starts
    # Nobody waits for the answer to this one, and the cluster must not end with the store.
    announced = open_store(config.store_address, LONG_PATIENCE_S)
    cluster = ClusterProcess(config, Announcer(announced))
    if place.is_first:
        await cluster.start()
    access = ComputeAccess(store, config)
    counts = open_store(config.store_address, SHORT_PATIENCE_S, is_durable=False)
    app = create_app(
        store,
        config,
        compute=access.compute,
        check_base_model=lambda name: check_base_model(config.source_of(name)),
        adapter_files=ExportProcess(),
        quota_store=counts,
    )
    leader = Leader(store, _duties(app))
    server = _server_of(app)
    key = await local_api_key(store, config.home / "local.key")
    host, port = listener.getsockname()[:2]
    connection = Connection(f"http://{host}:{port}", key, os.getpid(), __version__)
    if until_stdin_closes:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()

    async def keep_cluster() -> None:
        if not place.is_first:
            await place.become_first()
            _LOGGER.info("the first service of this home from now on")
            await cluster.start()
        write_connection(connection)
        await cluster.watch()

    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(watch()) for watch in (keep_cluster, access.watch, leader.run)]
        _say_address(connection)
        # Uvicorn raises a signal again when it has ended by it, for whoever had it before. That
        # must not be Python itself, which would end us before the cluster process has ended.
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: setattr(server, "should_exit", True))
        # The socket listens already: who connects now is answered when the server has started.
        await server.serve(sockets=[listener])
        for watch in watches:
            watch.cancel()
    remove_connection(os.getpid())
    await _leave(app)
    await access.leave()
    if place.is_last():
        await cluster.end()
    await announced.close()
    await counts.close()
    await store.close()


def _server_of(app: FastAPI) -> Server:
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            # httptools, which uvicorn takes where there is one, reads a head without end.
            http="h11",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_DRAIN_S,
        )
    )


def _say_address(connection: Connection) -> None:
    _LOGGER.info("answering at %s", connection.url)
    # Whoever started this may have closed its end, and reads the log.
    with contextlib.suppress(OSError):
        sys.stdout.write(f"twinkle answers at {connection.url}\n")
        sys.stdout.flush()


async def _leave(app: FastAPI) -> None:
    tinker: TinkerState = app.state.tinker
    await tinker.samples.leave()
    hub: HubUsers | None = app.state.hub
    if hub is not None:
        await hub.close()


def _duties(app: FastAPI) -> list[Duty]:
    parts: ServiceParts = app.state.parts
    tinker: TinkerState = app.state.tinker
    hub: HubUsers | None = app.state.hub
    departed = None if hub is None else DepartedUsers(parts, hub.api)

    async def put_away(_: int) -> None:
        await tinker.keeper.look()

    async def delete(_: int) -> None:
        await delete_expired(parts.store)

    async def remove(_: int) -> None:
        await tinker.cleanup.run_once()

    async def look(_: int) -> None:
        if departed is not None:
            await departed.look()

    async def count(epoch: int) -> None:
        await take_gauges(parts, epoch)

    async def cut(_: int) -> None:
        audit = parts.config.audit
        await cut_acts(parts.store, keep_days=audit.keep_days, keep_entries=audit.keep_entries)

    return [
        Duty("finding the service in numbers", GAUGES_EVERY_S, count),
        Duty("forgetting old acts", _AUDIT_EVERY_S, cut),
        Duty("putting away what silent sessions train", _SESSIONS_EVERY_S, put_away),
        Duty("deleting weights whose time is over", _WEIGHTS_EVERY_S, delete),
        Duty("removing sessions that are long over", tinker.cleanup.EVERY_S, remove),
        Duty("looking for users that are gone", parts.config.hub.look_every_s, look),
    ]


async def _claim(config: ServiceConfig, place: ServicePlace) -> socket.socket:
    """Take the port, and then what is stored; neither where one of them is not to be had."""
    listener = _listen(config, remembers=place.is_first)
    try:
        await check_stored_state(config, is_alone=place.is_last())
    except TwinkleError:
        listener.close()
        raise
    return listener


def _listen(config: ServiceConfig, *, remembers: bool) -> socket.socket:
    """Bind the port of the last time if it is free, so that open notebooks find us again."""
    last = config.home / "last_port"
    wanted = [config.http.port]
    if remembers and config.http.port == 0 and last.exists():
        text = last.read_text(encoding="ascii")
        wanted = [int(text), 0] if text.isdigit() else wanted
    for number, port in enumerate(wanted, start=1):
        # Named as TCP: asyncio then sends at once what is to be sent, and not after 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.http.host, port))
        except OSError as error:
            listener.close()
            if number == len(wanted):
                raise InvalidConfigError(
                    f"The service cannot listen on {config.http.host}:{port}: {error.strerror}.",
                    "Choose another port, or 0 for any free one.",
                ) from error
        else:
            listener.listen()
            if remembers:
                last.write_text(str(listener.getsockname()[1]), encoding="ascii")
            return listener
    raise AssertionError("there is at least one port to try")


def _end_with_stdin(server: Server) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    server.should_exit = True
