"""Giving others an adapter to read, and weights as files, as a program asks the service for it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from twinkle_jupyter.client.asking import ask
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.store.whole_folder import write_whole
from twinkle_jupyter.wire.shares import ShareBody, SharedBody, SharedListBody

__all__ = ["SharedBody", "download_weights", "list_shared", "share", "unshare"]

_DOWNLOAD_S = 300.0


def share(
    connection: Connection,
    adapter: str,
    *,
    step: int | None = None,
    groups: Sequence[str] = (),
    everyone: bool = False,
) -> SharedBody:
    """Let others read an adapter's checkpoint, and nobody else than said here.

    Raises:
        NotFoundError: There is no such adapter, or no checkpoint of that step.
        ConflictError: It has no checkpoint yet.
        InvalidConfigError: Nobody was named, or a group that the user is not in.
    """
    body = ShareBody(adapter=adapter, step=step, groups=tuple(groups), everyone=everyone)
    return SharedBody.model_validate_json(
        ask(connection, "PUT", "/shared", body.model_dump(mode="json")).content
    )


def unshare(connection: Connection, what: str) -> list[SharedBody]:
    """Take back a path, or all that is shared of an adapter; return what it was.

    Raises:
        NotFoundError: The user shares nothing under that name.
    """
    answer = ask(connection, "DELETE", "/shared", params={"what": what})
    return list(SharedListBody.model_validate_json(answer.content).shared)


def list_shared(connection: Connection) -> list[SharedBody]:
    """Return what the user may read, and what they share; newest first."""
    answer = ask(connection, "GET", "/shared")
    return list(SharedListBody.model_validate_json(answer.content).shared)


def download_weights(
    connection: Connection, adapter: str, folder: Path, step: int | None = None
) -> int:
    """Write an adapter's weights into a new folder, as PEFT has them; return their step.

    Args:
        connection: Of a service anywhere.
        adapter: Its name, or the path of weights that the user may read.
        folder: Must not exist yet.
        step: Of a checkpoint; None for what the adapter stands for.

    Raises:
        NotFoundError: There is no such adapter, or no checkpoint of that step.
        ConflictError: There is something in the folder.
    """
    params: dict[str, str | int] = {"adapter": adapter}
    if step is not None:
        params["step"] = step
    answer = ask(connection, "GET", "/weights", params=params, timeout_s=_DOWNLOAD_S)
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is None or "/" in member.name or member.name.startswith("."):
                raise InvalidDataError(f"The service sent a file named {member.name!r}.")
            files[member.name] = file.read()

    def write(target: Path) -> None:
        for name, content in files.items():
            if content:
                (target / name).write_bytes(content)

    write_whole(folder, write)
    return int(answer.headers["X-Twinkle-Step"])
