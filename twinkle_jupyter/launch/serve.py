"""The service process: HTTP over the store, with the cluster process beside it.

It holds the lease of its home, so that there is one service for each; it writes the connection file
when it answers; it ends when told to, or when whoever started it is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

from twinkle_jupyter import __version__
from twinkle_jupyter.client.discovery import Connection, remove_connection, write_connection
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ConflictError, InvalidConfigError
from twinkle_jupyter.launch.announce import Announcer
from twinkle_jupyter.launch.base_model_check import check_base_model
from twinkle_jupyter.launch.cluster_process import ClusterProcess
from twinkle_jupyter.launch.compute_access import ComputeAccess
from twinkle_jupyter.launch.export_process import ExportProcess
from twinkle_jupyter.launch.lease import Lease, holder_pid
from twinkle_jupyter.launch.local_key import local_api_key
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.store.opening import LONG_PATIENCE_S, SHORT_PATIENCE_S, open_store
from twinkle_jupyter.store.records import PhaseRow
from twinkle_jupyter.telemetry import log_to_file

if TYPE_CHECKING:
    from uvicorn import Server

_LOGGER = logging.getLogger(__name__)

#: Open event streams get this long to end when the service does.
_DRAIN_S = 2
_LEASE_S = 3.0


def serve(config: ServiceConfig, *, until_stdin_closes: bool = False) -> None:
    """Run the service until it is told to end.

    Args:
        config: Settings.
        until_stdin_closes: End when stdin does, which happens however the parent process ends.

    Raises:
        ConflictError: Another service has this home.
        InvalidConfigError: The address cannot be listened on.
    """
    # Runs, weights and logs are their owner's only, also in a home folder that others can enter.
    os.umask(0o077)
    lease = _take_lease(config)
    log_to_file(config.log_path, config.log_level)
    try:
        asyncio.run(_serve(config, until_stdin_closes=until_stdin_closes))
    finally:
        remove_connection(os.getpid())
        lease.release()


def _take_lease(config: ServiceConfig) -> Lease:
    deadline = time.monotonic() + _LEASE_S
    while True:
        if (lease := Lease.take(config.lock_path)) is not None:
            return lease
        # A cluster process that looks whether we live holds the lock for an instant.
        if time.monotonic() > deadline:
            pid = holder_pid(config.lock_path)
            raise ConflictError(
                f"A training service is running already (process {pid}).",
                "`twinkle stop` ends it.",
            )
        time.sleep(0.05)


async def _serve(config: ServiceConfig, *, until_stdin_closes: bool) -> None:
    import uvicorn

    listener = _listen(config)
    store = open_store(config.store_address, SHORT_PATIENCE_S)
    await store.get(PhaseRow.KEY)  # a server that is not there is said before anything starts
    # Nobody waits for the answer to this one, and the cluster must not end with the store.
    announced = open_store(config.store_address, LONG_PATIENCE_S)
    cluster = ClusterProcess(config, Announcer(announced))
    await cluster.start()
    access = ComputeAccess(store, config)
    counts = open_store(config.store_address, SHORT_PATIENCE_S, is_durable=False)
    app = create_app(
        store,
        config,
        compute=access.compute,
        check_base_model=check_base_model,
        adapter_files=ExportProcess(),
        quota_store=counts,
    )
    keep_sessions = app.state.tinker.keeper.run
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_DRAIN_S,
        )
    )
    key = await local_api_key(store, config.home / "local.key")
    host, port = listener.getsockname()[:2]
    connection = Connection(f"http://{host}:{port}", key, os.getpid(), __version__)
    if until_stdin_closes:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    async with asyncio.TaskGroup() as tasks:
        watches = [
            tasks.create_task(watch()) for watch in (cluster.watch, access.watch, keep_sessions)
        ]
        # The socket listens already: who connects now is answered when the server has started.
        write_connection(connection)
        _LOGGER.info("answering at %s", connection.url)
        # Uvicorn raises a signal again when it has ended by it, for whoever had it before. That
        # must not be Python itself, which would end us before the cluster process has ended.
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: setattr(server, "should_exit", True))
        await server.serve(sockets=[listener])
        for watch in watches:
            watch.cancel()
    remove_connection(os.getpid())
    await access.leave()
    await cluster.end()
    await announced.close()
    await counts.close()
    await store.close()


def _listen(config: ServiceConfig) -> socket.socket:
    """Bind the port of the last time if it is free, so that open notebooks find us again."""
    last = config.home / "last_port"
    wanted = [config.port]
    if config.port == 0 and last.exists() and (text := last.read_text(encoding="ascii")).isdigit():
        wanted.insert(0, int(text))
    for number, port in enumerate(wanted, start=1):
        # Named as TCP: asyncio then sends at once what is to be sent, and not after 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, port))
        except OSError as error:
            listener.close()
            if number == len(wanted):
                raise InvalidConfigError(
                    f"The service cannot listen on {config.host}:{port}: {error.strerror}.",
                    "Choose another port, or 0 for any free one.",
                ) from error
        else:
            listener.listen()
            last.write_text(str(listener.getsockname()[1]), encoding="ascii")
            return listener
    raise AssertionError("there is at least one port to try")


def _end_with_stdin(server: Server) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    server.should_exit = True
