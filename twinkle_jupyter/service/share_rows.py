"""Rows of what is shared: written, and taken away with what they are of or before."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from twinkle_jupyter.config.model_folder import read_json_object
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.store.client_rows import SavedWeightsRow
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.shares import ShareRow


async def end_share(store: StateStore, who: str, row: ShareRow) -> None:
    """Let nobody but its owner read it, from the next request on."""
    if await store.delete(ShareRow.key(row.source, row.kind, row.name)):
        await note_act(store, who, "unshare", row.path, row.adapter)


async def forget_shares(store: StateStore, who: str, source: str, checkpoint: str = "") -> None:
    """Take back what is shared of a run or a client's adapter, or one checkpoint of it."""
    for _, row in await store.list_rows(ShareRow.prefix(source)):
        found = ShareRow.from_row(row)
        if not checkpoint or found.name == checkpoint:
            await end_share(store, who, found)


async def forget_share_of(store: StateStore, saved: SavedWeightsRow) -> None:
    """Take back what is shared of saved weights that are gone, not of what has come after them."""
    key = ShareRow.key(saved.adapter_id, saved.kind, saved.name)
    row = await store.get(key)
    if row is not None and ShareRow.from_row(row).folder in (saved.folder, saved.replaces):
        await store.replace(key, row, row, ttl_s=0.0)


async def write_share(store: StateStore, who: str, row: ShareRow) -> ShareRow:
    """Let those read it whom it names, and nobody else, from the next request on."""
    await store.put(ShareRow.key(row.source, row.kind, row.name), row.to_row())
    readers = "everyone" if row.is_public else f"groups {', '.join(row.groups)}"
    await note_act(store, who, "share", row.path, f"{row.adapter}, to {readers}")
    return row


def share_of_saved(saved: SavedWeightsRow) -> ShareRow:
    """Return a row of what a client saved, which nobody may read yet; reads its files."""
    folder = Path(saved.folder)
    config = read_json_object(folder / "adapter_config.json")
    state = read_json_object(folder / "trainer_state.json")
    return ShareRow(
        saved.owner,
        saved.adapter_id,
        saved.kind,
        saved.name,
        saved.adapter_id,
        saved.base_model,
        saved.rank,
        alpha=cast("float", config.get("lora_alpha", 0.0)),
        step=cast("int", state.get("step", 0)),
        is_of_run=False,
        folder=saved.folder,
    )
