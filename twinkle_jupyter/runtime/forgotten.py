"""Adapters that were given up while their trainer was not there: it hears of them at its start."""

from __future__ import annotations

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.store.interface import StateStore


async def forget_at_start(store: StateStore, journal: str, adapter_id: AdapterId) -> None:
    """Let the trainer with this journal remove the adapter when it next starts.

    Loading a base model to let go of an adapter would be a high price. A trainer that is there is
    asked itself: it does not look here again.
    """
    await store.put(f"{_prefix(journal)}{adapter_id}", {})


async def find_forgotten(store: StateStore, journal: str) -> list[AdapterId]:
    """Return the adapters that are to be removed."""
    prefix = _prefix(journal)
    rows = await store.list_rows(prefix)
    return [AdapterId(key.removeprefix(prefix)) for key, _ in rows]


async def is_forgotten(store: StateStore, journal: str, adapter_id: AdapterId) -> None:
    """The adapter is removed: take it off the list."""
    await store.delete(f"{_prefix(journal)}{adapter_id}")


def _prefix(journal: str) -> str:
    return f"trainer-forgets/{journal}/"
