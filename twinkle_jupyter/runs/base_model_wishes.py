"""Wishes for base models, kept in the store: whoever needs one says so, the cluster loads it."""

from __future__ import annotations

from twinkle_jupyter.store.interface import Row, StateStore
from twinkle_jupyter.store.records import BaseModelRow


async def read_base_model(store: StateStore, name: str) -> BaseModelRow | None:
    """Return how far a base model is, None when nobody has wished for it."""
    row = await store.get(BaseModelRow.key(name))
    return None if row is None else BaseModelRow.from_row(row)


async def wish_for(store: StateStore, name: str) -> BaseModelRow:
    """Return how far a base model is, wishing for it first if nobody has."""
    if (known := await read_base_model(store, name)) is not None:
        return known

    def wish(row: Row | None) -> Row:
        return BaseModelRow(name).to_row() if row is None else row

    new = BaseModelRow.from_row(await store.update(BaseModelRow.key(name), wish))
    await store.append(BaseModelRow.LOG, {"name": name})
    return new


async def wish_again(store: StateStore, name: str) -> BaseModelRow:
    """As `wish_for`, but one that failed is tried once more."""
    known = await read_base_model(store, name)
    if known is not None and known.phase == "failed":
        await store.delete(BaseModelRow.key(name))
    return await wish_for(store, name)
