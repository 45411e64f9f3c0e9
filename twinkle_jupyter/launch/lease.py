"""Who is alive: a lock on a file, held for as long as its process lives, whatever ends it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self


class Lease:
    """An exclusive lock that the kernel drops when the process dies, by SIGKILL too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Take the lock; None when another process has it."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let go of the lock."""
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Tell whether some process holds the lease."""
    lease = Lease.take(path)
    if lease is None:
        return True
    lease.release()
    return False


def holder_pid(path: Path) -> int | None:
    """Return the process that holds the lease, None when none does."""
    if not path.exists() or not is_held(path):
        return None
    text = path.read_text(encoding="ascii")
    return int(text) if text.isdigit() else None
