"""Which service process of a home this is: the first, which keeps the cluster going, or a replica.

Each holds a lock on a file of its own, which the operating system drops when the process ends. A
replica becomes the first as soon as there is none.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Self

from twinkle_jupyter.client.discovery import is_announced
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ConflictError
from twinkle_jupyter.launch.lease import Lease, holder_pid, is_held

#: What the one that has the home gets to leave it: a cluster process that looks whether we live
#: holds the lock for an instant.
_TAKE_S = 3.0
#: The same while it is not announced: it is being ended, or started, which another one may be.
_SETTLE_S = 30.0
_LOOK_EVERY_S = 0.3
_MAX_REPLICAS = 64


class ServicePlace:
    """The locks that this process holds.

    Args:
        config: Names the home.
        first: On the home, of the first one; None of a replica.
        own: Of a replica, with its number.
    """

    def __init__(
        self, config: ServiceConfig, first: Lease | None, own: tuple[int, Lease] | None
    ) -> None:
        self._config = config
        self._first = first
        self._own = own

    @classmethod
    def take_first(cls, config: ServiceConfig) -> Self:
        """Be the first service of this home; waits for one that is being ended.

        Raises:
            ConflictError: There is another one.
        """
        began = time.monotonic()
        while True:
            if (lease := Lease.take(config.lock_path)) is not None:
                return cls(config, lease, None)
            pid = holder_pid(config.lock_path)
            limit_s = _TAKE_S if pid is not None and is_announced(pid) else _SETTLE_S
            if time.monotonic() - began > limit_s:
                who = "another process" if pid is None else f"process {pid}"
                raise ConflictError(
                    f"A training service is running already ({who}).",
                    "`twinkle stop` ends it; `twinkle serve --replica` starts another beside it.",
                )
            time.sleep(0.05)

    @classmethod
    def take_any(cls, config: ServiceConfig) -> Self:
        """Be a service of this home beside those that there are.

        Raises:
            ConflictError: There are as many as can be.
        """
        for number in range(1, _MAX_REPLICAS + 1):
            if (lease := Lease.take(_replica_path(config, number))) is not None:
                return cls(config, None, (number, lease))
        raise ConflictError(f"There are {_MAX_REPLICAS} replicas in {config.home}.")

    @property
    def is_first(self) -> bool:
        """Whether the cluster process is this one's to keep."""
        return self._first is not None

    @property
    def log_path(self) -> Path:
        """Where this process logs."""
        if self._own is None:
            return self._config.log_path
        return self._config.home / f"replica-{self._own[0]}.log"

    async def become_first(self) -> None:
        """Return when this is the first one, which it is as soon as there is no other."""
        while self._first is None:
            self._first = Lease.take(self._config.lock_path)
            if self._first is None:
                await asyncio.sleep(_LOOK_EVERY_S)

    def is_last(self) -> bool:
        """Whether no other service process has this home."""
        own = 0 if self._own is None else self._own[0]
        others = [
            _replica_path(self._config, number)
            for number in range(1, _MAX_REPLICAS + 1)
            if number != own
        ]
        if not self.is_first:
            others.append(self._config.lock_path)
        return not any(path.exists() and is_held(path) for path in others)

    def release(self) -> None:
        """Leave the home to others."""
        for lease in (self._first, None if self._own is None else self._own[1]):
            if lease is not None:
                lease.release()


def _replica_path(config: ServiceConfig, number: int) -> Path:
    return config.home / f"replica-{number}.lock"
