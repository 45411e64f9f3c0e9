"""The cluster process as the service sees it: started when it is not there, ended on purpose only.

A service that dies leaves it running; the next service finds it by its lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.launch.announce import Announcer
from twinkle_jupyter.launch.lease import holder_pid

_LOGGER = logging.getLogger(__name__)

_END_S = 12.0
_POLL_S = 0.1
_WATCH_S = 0.5
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
#: A process that lived for this long is not one that cannot start.
_STEADY_S = 60.0


class ClusterProcess:
    """Starts, watches and ends the process of `launch.cluster` for one home."""

    def __init__(self, config: ServiceConfig, announcer: Announcer) -> None:
        self._config = config
        self._announcer = announcer
        self._child: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it unless one is running; one of other settings is ended first."""
        if holder_pid(self._config.cluster_lock_path) is not None:
            if await asyncio.to_thread(self._has_same_settings):
                return
            _LOGGER.warning("a cluster process of other settings is there: it is ended first")
            await self.end()
        # What the last one left says nothing about this one.
        self._config.cluster_path.unlink(missing_ok=True)
        await self._announcer.say("starting", "Starting Ray")
        self._child = await asyncio.to_thread(self._spawn)

    async def watch(self) -> None:
        """Start it again whenever it has ended, more slowly each time; until cancelled."""
        started_at, pause_s = time.monotonic(), _FIRST_PAUSE_S
        while True:
            await asyncio.sleep(_WATCH_S)
            if not self._has_ended():
                continue
            if self._child is not None:
                _LOGGER.warning("the cluster process ended with code %s", self._child.returncode)
                self._child = None
            if time.monotonic() - started_at > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            started_at = time.monotonic()
            await self.start()

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = self._config.as_environment(os.environ)
        with (self._config.home / "cluster.out").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "twinkle_jupyter.launch.cluster"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    async def end(self) -> None:
        """Let runs come to a checkpoint and end Ray; force it when that takes too long."""
        pid = self._child.pid if self._child else holder_pid(self._config.cluster_lock_path)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        for _ in range(int(_END_S / _POLL_S)):
            if self._has_ended():
                return
            await asyncio.sleep(_POLL_S)
        _LOGGER.warning("the cluster process did not end within %.0f s: killed", _END_S)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _has_same_settings(self) -> bool:
        path = self._config.cluster_digest_path
        # One that has just begun has not written it yet, and was begun by a service like this.
        return not path.exists() or path.read_text(encoding="ascii") == self._config.cluster_digest

    def _has_ended(self) -> bool:
        if self._child is not None:
            return self._child.poll() is not None
        return holder_pid(self._config.cluster_lock_path) is None
