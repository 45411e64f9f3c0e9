"""What turns adapters into files of other programs and back, beside the service; and for whom.

A request names folders of the service's machine. That is right for a service that one person has
for themselves, and a hole in one that others use: there it is refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from twinkle_jupyter.errors import InvalidConfigError, ServiceUnavailableError
from twinkle_jupyter.service.own_service import is_shared
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.wire.exports import ExportFormat, WeightType

#: Told the share that is done; also at least once a second, whatever is done.
OnProgress = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What is to be written, and where."""

    base_model: str
    checkpoint: Path
    folder: Path
    format: ExportFormat
    #: Of the adapter.
    name: str
    weight_type: WeightType


@dataclass(frozen=True, slots=True)
class ImportedShape:
    """What an adapter turned out to be."""

    rank: int
    alpha: float


class AdapterFiles(Protocol):
    """Works in a process of its own, which ends when the call is cancelled."""

    async def export(self, job: ExportJob, on_progress: OnProgress) -> int:
        """Write the folder, whole or not at all; return its bytes.

        Raises:
            TwinkleError: What is wrong with checkpoint, base model or folder.
        """
        ...

    async def import_peft(self, folder: Path, base_model: str, checkpoint: Path) -> ImportedShape:
        """Write an adapter of PEFT's as a checkpoint.

        Raises:
            TwinkleError: It is none, or not of a kind that can be trained here.
        """
        ...


class NoAdapterFiles:
    """Of a service that was put together without them."""

    async def export(self, job: ExportJob, on_progress: OnProgress) -> int:
        """Refuse."""
        del job, on_progress
        raise ServiceUnavailableError("This service makes no exports.")

    async def import_peft(self, folder: Path, base_model: str, checkpoint: Path) -> ImportedShape:
        """Refuse."""
        del folder, base_model, checkpoint
        raise ServiceUnavailableError("This service takes in no adapters.")


async def check_folders_are_ours(parts: ServiceParts, owner: str) -> None:
    """See that only this user, on this machine, can name folders to the service.

    Raises:
        InvalidConfigError: Others can reach it, or have keys of it.
    """
    if await is_shared(parts, owner) or not is_loopback(parts.config.http.host):
        raise InvalidConfigError(
            "A service that others use too takes no folder of its machine from a request.",
            "Do it with a service of your own, on the machine that has the folder.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a service that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
