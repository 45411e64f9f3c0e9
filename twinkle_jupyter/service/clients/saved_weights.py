"""Weights that clients saved: under names, for training on or for sampling, and until when.

The row is written first and stands for nothing until its folder is whole, which the trainer's
journal sees to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast, get_args

from twinkle_jupyter.config.model_folder import read_json_object
from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import Op, Refusal, SaveCheckpoint
from twinkle_jupyter.service.clients.expiry import delete_unchanged
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.artifacts import delete_folder, has_folder, read_manifest
from twinkle_jupyter.store.client_rows import (
    ClientAdapterRow,
    SavedWeightsRow,
    WeightsKind,
)
from twinkle_jupyter.store.interface import JSON, Row, StateStore
from twinkle_jupyter.store.shares import ShareRow
from twinkle_jupyter.wire.tinker_bodies import SaveWeightsBody

_SCHEME = "tinker://"
#: What clients of the Twinkle protocol call the same.
_SCHEMES = (_SCHEME, "twinkle://")
_KINDS: Mapping[str, WeightsKind] = {kind: kind for kind in get_args(WeightsKind)}


@dataclass(frozen=True, slots=True)
class WeightsPath:
    """`tinker://ADAPTER/KIND/NAME`, or the same that begins with `twinkle://`."""

    adapter_id: str
    kind: WeightsKind
    name: str

    @classmethod
    def parse(cls, text: str) -> WeightsPath:
        """Read a path; raises InvalidDataError for what is none."""
        scheme = next((one for one in _SCHEMES if text.startswith(one)), None)
        adapter_id, _, rest = text.removeprefix(scheme or "").partition("/")
        kind, _, name = rest.partition("/")
        if scheme is None or kind not in _KINDS or not name or "/" in name:
            raise InvalidDataError(
                f"path={text!r} is not tinker://<model_id>/<kind>/<name>, the kind being one of"
                f" {', '.join(_KINDS)}."
            )
        return cls(adapter_id, _KINDS[kind], name)


async def plan_save(
    parts: ServiceParts, row: ClientAdapterRow, kind: WeightsKind, body: SaveWeightsBody, name: str
) -> Op:
    """Write down what an op is to save; return it, or what refuses it in its turn."""
    adapter_id, alone = AdapterId(row.adapter_id), kind != "weights"
    key = SavedWeightsRow.key(row.owner, row.adapter_id, kind, name)
    known = await _read(parts.store, key)
    if known is not None and known.sequence_id == body.seq_id:
        return SaveCheckpoint(adapter_id, body.seq_id, known.folder, alone)  # sent again
    whole = "" if known is None else await _whole_folder(known)
    if whole and not body.overwrite and known is not None and not known.has_expired:
        problem = f"Checkpoint {known.path!r} exists."
        return Refusal(adapter_id, body.seq_id, problem, "Choose another name, or overwrite it.")
    folder = parts.config.client_weights_folder(row.adapter_id, kind, f"{name}-{body.seq_id}")
    new = SavedWeightsRow(
        row.owner,
        row.adapter_id,
        kind,
        name,
        row.base_model,
        row.rank,
        row.trains,
        str(folder),
        body.seq_id,
        replaces=whole,
        user_metadata=cast("Mapping[str, JSON]", body.user_metadata or {}),
        expires_at=moment_after(body.ttl_seconds),
    )
    await parts.store.put(key, new.to_row())
    return SaveCheckpoint(adapter_id, body.seq_id, str(folder), alone)


async def finish_save(parts: ServiceParts, owner: str, path: WeightsPath) -> None:
    """The folder is whole: what it took the place of goes."""
    key = SavedWeightsRow.key(owner, path.adapter_id, path.kind, path.name)
    row = await _read(parts.store, key)
    if row is None or not row.replaces or not await asyncio.to_thread(_is_whole, row.folder):
        return
    await asyncio.to_thread(delete_folder, Path(row.replaces))
    await _change(parts.store, key, replaces="")


async def find_saved(parts: ServiceParts, owner: str, path: WeightsPath) -> SavedWeightsRow:
    """Return saved weights, with the folder that is whole.

    Raises:
        NotFoundError: This user has none there, or they have expired.
    """
    row = await _read(
        parts.store, SavedWeightsRow.key(owner, path.adapter_id, path.kind, path.name)
    )
    folder = "" if row is None or row.has_expired else await _whole_folder(row)
    if row is None or not folder:
        text = f"{_SCHEME}{path.adapter_id}/{path.kind}/{path.name}"
        raise NotFoundError(f"There is no checkpoint {text!r}.")
    return row.changed(folder=folder)


@dataclass(frozen=True, slots=True)
class SavedWeights:
    """Weights that are there."""

    row: SavedWeightsRow
    size_bytes: int
    #: Whether everyone may read them.
    is_public: bool


async def list_saved(parts: ServiceParts, owner: str, adapter_id: str = "") -> list[SavedWeights]:
    """Return a user's saved weights, or those of one adapter, newest first.

    What has expired is deleted.
    """
    stored = await parts.store.list_rows(SavedWeightsRow.prefix(owner, adapter_id))
    rows = [SavedWeightsRow.from_row(row) for _, row in stored]
    shares = await parts.store.get_many(
        [ShareRow.key(row.adapter_id, row.kind, row.name) for row in rows]
    )
    found = []
    for (key, as_stored), row, shared in zip(stored, rows, shares, strict=True):
        if row.has_expired:
            await delete_unchanged(parts.store, key, as_stored)
        elif folder := await _whole_folder(row):
            manifest = await asyncio.to_thread(read_manifest, Path(folder))
            is_public = shared is not None and _is_public(ShareRow.from_row(shared), owner, folder)
            found.append(SavedWeights(row.changed(folder=folder), manifest.size_bytes, is_public))
    return sorted(found, key=lambda one: one.row.created_at, reverse=True)


def _is_public(share: ShareRow, owner: str, folder: str) -> bool:
    """Whether everyone may read these weights, and not those that had their name before."""
    return share.is_public and (share.owner, share.folder) == (owner, folder)


async def delete_saved(parts: ServiceParts, owner: str, path: WeightsPath) -> None:
    """Delete saved weights; raises NotFoundError where there are none."""
    await find_saved(parts, owner, path)
    key = SavedWeightsRow.key(owner, path.adapter_id, path.kind, path.name)
    if (stored := await parts.store.get(key)) is not None:
        await delete_unchanged(parts.store, key, stored)


async def change_saved(parts: ServiceParts, owner: str, path: WeightsPath, **changes: JSON) -> None:
    """Change what is written down of saved weights; raises NotFoundError where there are none."""
    await find_saved(parts, owner, path)
    key = SavedWeightsRow.key(owner, path.adapter_id, path.kind, path.name)
    await _change(parts.store, key, **changes)


def read_alpha(saved: SavedWeightsRow) -> float:
    """Return what an adapter that becomes these weights has as its alpha; reads a file.

    Raises:
        NotFoundError: They have just been deleted.
    """
    config = read_json_object(Path(saved.folder) / "adapter_config.json")
    if "lora_alpha" not in config:
        raise NotFoundError(f"There is no checkpoint {saved.path!r} any more.")
    return float(cast("float", config["lora_alpha"]))


def moment_after(seconds: int | None) -> str:
    """Return when that will be, ISO 8601 in UTC; empty for never."""
    if seconds is None:
        return ""
    return (datetime.now(tz=UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


async def _read(store: StateStore, key: str) -> SavedWeightsRow | None:
    row = await store.get(key)
    return None if row is None else SavedWeightsRow.from_row(row)


async def _change(store: StateStore, key: str, **changes: JSON) -> None:
    def change(row: Row | None) -> Row:
        if row is None:
            raise NotFoundError("The checkpoint was deleted.")
        return SavedWeightsRow.from_row(row).changed(**changes).to_row()

    await store.update(key, change)


async def _whole_folder(row: SavedWeightsRow) -> str:
    """Return where the weights are; until a save is whole, those that it replaces. Or nothing."""
    for folder in filter(None, (row.folder, row.replaces)):
        if await asyncio.to_thread(_is_whole, folder):
            return folder
    return ""


def _is_whole(folder: str) -> bool:
    return has_folder(Path(folder))
