"""A service of the tiny model in processes of its own, which a test starts as the lab does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import psutil

from tests.journeys.conftest import processes_of, wait_until
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.discovery import find_connection


@dataclass
class Service:
    """The service of one home."""

    home: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "twinkle_jupyter.cli", "serve", "--until-stdin-closes"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)
        wait_until(lambda: find_connection() is not None, 30, "starting the service")

    def client(self) -> Client:
        connection = find_connection()
        assert connection is not None
        return Client(connection)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate(timeout=5)

    def end(self) -> None:
        """End it as its owner does, and wait for everything that it started."""
        assert self.process is not None
        self.process.communicate(timeout=30)
        wait_until(lambda: not self.processes(), 15, "ending every process")

    def processes(self) -> list[psutil.Process]:
        return processes_of(self.home)

    def find(self, *names: str) -> list[psutil.Process]:
        """Return the live processes that have one of these in their name or command line."""
        found = []
        for process in self.processes():
            try:
                words = f"{process.name()} {' '.join(process.cmdline())}"
            except psutil.NoSuchProcess:
                continue
            if process.pid != os.getpid() and any(name in words for name in names):
                found.append(process)
        return found
