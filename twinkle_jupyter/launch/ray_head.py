"""Ray on this machine: started on the loopback address behind a token, joined by who knows it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

from twinkle_jupyter.actors.names import NAMESPACE
from twinkle_jupyter.errors import ServiceUnavailableError

_OBJECT_STORE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RayHead:
    """A running Ray and the secret to join it."""

    address: str
    token: str
    #: The process that Ray ends with.
    pid: int

    def write(self, path: Path) -> None:
        """Keep it where only this user can read it."""
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what was written there, None if nothing was."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


def read_token(path: Path) -> str:
    """Return the secret that guards this home's cluster, made at its first start.

    It stays the same over restarts: a service that has imported Ray can learn no other.
    """
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="ascii")


def start_head(num_cpus: int, token: str) -> RayHead:
    """Start Ray's processes; they end when this process does. Takes five to ten seconds.

    Args:
        num_cpus: What Ray believes the machine has.
        token: As given to `set_ray_environment` before.
    """
    import ray

    _log_with_the_others()
    ray.init(
        # Never somebody else's cluster that happens to run on this machine.
        address="local",
        num_cpus=num_cpus,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        namespace=NAMESPACE,
    )
    return RayHead(ray.get_runtime_context().gcs_address, token, os.getpid())


def find_ray_processes() -> list[psutil.Process]:
    """Return those processes of Ray's, started by this one, that it cannot do without."""
    children = psutil.Process().children()
    return [child for child in children if child.name() in {"gcs_server", "raylet"}]


def set_ray_environment(token: str) -> None:
    """Prepare this process, and those it starts, for a guarded Ray on the loopback address.

    Only before `ray` is imported for the first time: it reads its environment then.
    """
    here = str(Path(__file__).parent / "ray_path")
    known = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.environ.update(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=token,
        RAY_USAGE_STATS_ENABLED="0",
        # Actors take uvloop where there is one; what they wait for is on threads and in Ray.
        RAY_USE_UVLOOP="0",
        # Ray's own switch for "one machine only": every port is bound to the loopback address.
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
        PYTHONPATH=os.pathsep.join([here, *(path for path in known if path != here)]),
    )
    # For this process, whose path is set already: None makes the import fail. See `ray_path`.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def join_head(head: RayHead) -> None:
    """Join a running Ray, leaving another one that was joined before. Blocks for a second or two.

    Raises:
        ServiceUnavailableError: It does not answer.
    """
    set_ray_environment(head.token)
    import ray

    _log_with_the_others()
    if ray.is_initialized():
        if ray.get_runtime_context().gcs_address == head.address:
            return
        ray.shutdown()
    try:
        ray.init(
            address=head.address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False
        )
    except (ConnectionError, RuntimeError) as error:
        raise ServiceUnavailableError("Ray does not answer.", "Try again in a moment.") from error


def leave_head() -> None:
    """Leave the Ray that was joined, also when it is gone. May block for a while."""
    import ray

    ray.shutdown()


def _log_with_the_others() -> None:
    """What Ray has to say in this process belongs into our log, not onto somebody's terminal."""
    logger = logging.getLogger("ray")
    logger.handlers.clear()
    logger.propagate = True
