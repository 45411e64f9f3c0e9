"""The training service as a child of the Jupyter server: started, watched, restarted, ended.

A running service is adopted by its connection file. The child's stdin is a pipe that we hold and
never write to: its end tells the child that we are gone, also after SIGKILL. Nothing here blocks
the event loop or speaks with a browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from twinkle_jupyter.client.discovery import Connection, connection_path, is_running
from twinkle_jupyter.errors import ConflictError, TwinkleError
from twinkle_jupyter.lab.upstream import ServiceBody, Upstream, service_body

Phase = Literal["stopped", "starting", "ready", "failed"]

#: How often the child and the adopted service are looked at, in seconds.
POLL_S = 0.2
#: A service that ends sooner than this after its start has failed to start.
QUICK_S = 3.0
#: So many quick ends in a row are not tried again.
MAX_QUICK_ENDS = 3
#: What a child gets to end by itself after its stdin is closed, then after SIGTERM.
END_S = 10.0
TERM_S = 5.0

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _End:
    """How a service ended."""

    #: It left in order: somebody, maybe the command line, told it to.
    was_asked_for: bool
    #: How long it had answered; 0 if never.
    answered_s: float


class ServiceProcess:
    """Keeps one service running from `start()` to `stop()`.

    Args:
        command: What starts a service in the foreground that ends when its stdin does.
        log_path: Where the child's stdout and stderr go; appended to.
        upstream: Finds a service that answers.
    """

    def __init__(self, command: Sequence[str], log_path: Path, upstream: Upstream) -> None:
        self._command = tuple(command)
        self._log_path = log_path
        self._upstream = upstream
        self._child: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ending = asyncio.Lock()
        self.phase: Phase = "stopped"
        #: One sentence about the phase; for `failed`, the last line of the log.
        self.message = ""

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._child.pid if self._child is not None else None

    def as_body(self) -> ServiceBody:
        """Return what is known of a service that does not answer."""
        if self.phase == "ready":  # it answered a moment ago: the watch restarts it
            return service_body("starting", "The service is being restarted")
        return service_body(self.phase, self.message)

    def start(self) -> None:
        """Adopt or start a service and keep it running; returns at once.

        A service elsewhere, named by its URL, is neither started nor watched.
        """
        if self._upstream.is_elsewhere:
            return
        if self._keeper is None or self._keeper.done():
            self.phase, self.message = "starting", "Starting the service"
            self._keeper = asyncio.create_task(self._keep_running(), name="twinkle-service")

    async def stop(self, *, adopted: bool = False) -> None:
        """End the child and everything it started, within seconds.

        Args:
            adopted: Also end a service that somebody else started on this machine.

        Raises:
            ConflictError: `adopted` is asked for, and the service is on another machine.
        """
        async with self._ending:
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
            if self._child is not None:
                await self._end_child(self._child)
            elif adopted:
                await self._end_adopted()
            self.phase, self.message = "stopped", ""

    async def _keep_running(self) -> None:
        async with self._ending:
            pass  # a stop under way comes first
        try:
            await self._keep_running_until_asked()
        except TwinkleError as error:
            self.phase, self.message = "failed", str(error)
        except OSError as error:
            self.phase, self.message = "failed", f"The service cannot be started: {error}."

    async def _keep_running_until_asked(self) -> None:
        quick_ends = 0
        while True:
            adopted = await self._upstream.find()
            end = await (self._run_child() if adopted is None else self._watch_adopted(adopted))
            if end.was_asked_for:
                self.phase, self.message = "stopped", "The service was stopped"
                return
            quick_ends = quick_ends + 1 if end.answered_s < QUICK_S else 0
            if quick_ends >= MAX_QUICK_ENDS:
                self.phase, self.message = "failed", self._reason()
                _LOGGER.error("twinkle: the service does not stay up: %s", self.message)
                return
            self.phase, self.message = "starting", "The service ended and is being restarted"
            _LOGGER.warning("twinkle: the service ended unexpectedly, starting it again")
            await asyncio.sleep(POLL_S * quick_ends)

    async def _run_child(self) -> _End:
        """Run a child to its end."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _appending(self._log_path) as log:
            child = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=log, stderr=STDOUT, start_new_session=True
            )
        self._child = child
        answered_at = None
        # Not `child.wait()`: it also waits for stdin, whose other end a grandchild may hold.
        while child.returncode is None:
            if answered_at is None and await self._upstream.find() is not None:
                answered_at = self._note_answer()
            await asyncio.sleep(POLL_S)
        self._child = None
        _kill_group(child.pid)
        _close_stdin(child)
        return _End(
            was_asked_for=child.returncode == 0,
            answered_s=time.monotonic() - answered_at if answered_at is not None else 0.0,
        )

    async def _watch_adopted(self, connection: Connection) -> _End:
        """Wait until another's service is gone."""
        answered_at = self._note_answer()
        found: Connection | None = connection
        while found == connection:
            await asyncio.sleep(POLL_S)
            found = await self._upstream.find()
        answered_s = time.monotonic() - answered_at
        # One that ends in order removes its connection file, maybe a moment after its port
        # was closed; a killed one cannot.
        deadline = time.monotonic() + END_S
        while connection_path().exists() and is_running(connection.pid):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(POLL_S)
        return _End(
            was_asked_for=found is None and not connection_path().exists(), answered_s=answered_s
        )

    def _note_answer(self) -> float:
        self.phase, self.message = "ready", ""
        return time.monotonic()

    async def _end_child(self, child: Process) -> None:
        _close_stdin(child)
        if not await _has_ended(child, END_S):
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            await _has_ended(child, TERM_S)
        _kill_group(child.pid)
        await _has_ended(child, TERM_S)
        self._child = None

    async def _end_adopted(self) -> None:
        connection = await self._upstream.find()
        if connection is None:
            return
        if self._upstream.is_elsewhere or not connection.pid:
            raise ConflictError(
                f"The service at {connection.url} was started elsewhere.",
                "End it where it was started.",
            )
        with contextlib.suppress(ProcessLookupError):
            os.kill(connection.pid, signal.SIGTERM)
        deadline = time.monotonic() + END_S
        while await self._upstream.find() == connection:
            if time.monotonic() > deadline:
                raise ConflictError(
                    f"The service (process {connection.pid}) did not end within {END_S:.0f} s.",
                    f"`kill -9 {connection.pid}` ends it; its runs go on at the next start.",
                )
            await asyncio.sleep(POLL_S)

    def _reason(self) -> str:
        """Return the log's last line as a sentence."""
        lines = _tail(self._log_path)
        last = lines[-1].strip() if lines else "it wrote nothing to its log"
        return f"The service does not stay up: {last.rstrip('.')}."


def _appending(path: Path) -> BinaryIO:
    return path.open("ab")


def _tail(path: Path) -> list[str]:
    """Return the non-empty lines among the last 4 kB."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 4096))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()]


def _close_stdin(child: Process) -> None:
    if child.stdin is not None:
        child.stdin.close()


def _kill_group(pid: int) -> None:
    """Kill what is left of the child's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def _has_ended(child: Process, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while child.returncode is None:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(POLL_S / 4)
    return child.returncode is not None
