"""A service of the tiny model in processes of its own, which a test starts as the lab does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.journeys.conftest import processes_of, wait_until
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.discovery import find_connection


def files_with_the_key(home: Path) -> list[Path]:
    """Return what holds the local user's API key, beside the file that is for it."""
    key_file = home / "local.key"
    key = key_file.read_bytes()
    assert key.startswith(b"tml-")
    files = [path for path in home.rglob("*") if path.is_file() and path != key_file]
    assert any(path.suffix == ".log" for path in files)
    return [path for path in files if key in path.read_bytes()]


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
        assert files_with_the_key(Path(self.home)) == []

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
