"""State that an earlier service has stored: whether it fits this one's settings, and its end."""

from __future__ import annotations

import asyncio
import logging
import shutil

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.config.signature import find_drift, make_signature
from twinkle_jupyter.errors import ConfigDriftError, ConflictError
from twinkle_jupyter.launch.leader import NAME as LEADER
from twinkle_jupyter.launch.lease import holder_pid
from twinkle_jupyter.store.clearing import clear_store
from twinkle_jupyter.store.hold import Hold
from twinkle_jupyter.store.opening import SHORT_PATIENCE_S, open_store

_LOGGER = logging.getLogger(__name__)

#: What a cluster process without a service gets to end by itself.
_CLUSTER_ENDS_S = 30.0
_LOOK_AGAIN_S = 0.3
#: Where the store keeps the settings that its state was made with.
SIGNATURE_KEY = "service/signature"


async def check_stored_state(config: ServiceConfig, *, is_alone: bool) -> None:
    """Compare settings with what is stored, and do about it what the settings want.

    Args:
        config: Settings.
        is_alone: Whether no other service of this home runs; nothing is deleted under another.

    Raises:
        ConfigDriftError: They differ, and `on_drift` is `abort` or another service runs by the
            stored ones.
        ServiceUnavailableError: The store cannot be read.
    """
    drift = await read_drift(config)
    if drift and (config.on_drift == "abort" or not is_alone or await _is_led(config)):
        raise drift_error(drift)
    if drift and config.on_drift == "clear":
        await _wait_for_cluster(config)
        _LOGGER.warning("stored state is deleted: %s", "; ".join(drift))
        await _clear(config)
    elif drift:
        _LOGGER.warning("stored state was made with other settings: %s", "; ".join(drift))
    store = open_store(config.store_address, SHORT_PATIENCE_S)
    await store.put(SIGNATURE_KEY, make_signature(config))
    await store.close()


async def read_drift(config: ServiceConfig) -> list[str]:
    """Return a line for each setting that differs from what is stored; [] where nothing is."""
    if config.store is None and not config.store_path.exists():
        return []
    store = open_store(config.store_address, SHORT_PATIENCE_S)
    try:
        stored = await store.get(SIGNATURE_KEY)
    finally:
        await store.close()
    return [] if stored is None else find_drift(config, stored)


def drift_error(drift: list[str]) -> ConfigDriftError:
    """Say what differs, and the ways out."""
    return ConfigDriftError(
        f"The stored state was made with other settings: {'; '.join(drift)}.",
        "Set them back; or start once with `--on-drift warn` to go on with the new ones, or with"
        " `--on-drift clear` to delete all runs and adapters.",
    )


async def _is_led(config: ServiceConfig) -> bool:
    """Whether services of another home share the server, and one of them is at work."""
    if config.store is None:
        return False
    store = open_store(config.store_address, SHORT_PATIENCE_S)
    try:
        return await store.get(Hold.key(LEADER)) is not None
    finally:
        await store.close()


async def _wait_for_cluster(config: ServiceConfig) -> None:
    """Wait until the cluster process that a dead service has left has ended, too."""
    deadline = asyncio.get_running_loop().time() + _CLUSTER_ENDS_S
    while (pid := await asyncio.to_thread(holder_pid, config.cluster_lock_path)) is not None:
        if asyncio.get_running_loop().time() > deadline:
            raise ConflictError(
                f"The cluster process {pid} of an earlier service still runs.", "End it first."
            )
        await asyncio.sleep(_LOOK_AGAIN_S)


async def clear_state(config: ServiceConfig) -> None:
    """Delete runs, adapters, checkpoints and logs of runs; API keys stay.

    Raises:
        ConflictError: A service is running.
    """
    replicas = config.home.glob("replica-*.lock")
    for lock in (config.lock_path, config.cluster_lock_path, *replicas):
        if (pid := holder_pid(lock)) is not None:
            raise ConflictError(
                f"A training service is running (process {pid}).", "`twinkle stop` ends it."
            )
    await _clear(config)


async def _clear(config: ServiceConfig) -> None:
    await clear_store(config.store_address)
    for folder in (config.artifacts, config.home / "scratch"):
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
