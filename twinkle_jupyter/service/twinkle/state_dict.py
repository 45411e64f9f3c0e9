"""An adapter's matrices as JSON, for a client that wants to look at the numbers."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import cast

from pydantic import JsonValue
from safetensors.numpy import load_file

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import SaveCheckpoint
from twinkle_jupyter.service.twinkle.state import TwinkleState
from twinkle_jupyter.store.artifacts import delete_folder
from twinkle_jupyter.store.client_rows import ClientAdapterRow

#: Numbers in one answer; each is about 20 bytes of JSON.
MAX_NUMBERS = 4_000_000
_WEIGHTS = "adapter_model.safetensors"


async def read_state_dict(state: TwinkleState, row: ClientAdapterRow) -> dict[str, JsonValue]:
    """Return every matrix by its name in PEFT's layout.

    Raises:
        InvalidDataError: They are more numbers than one answer holds.
    """
    token = secrets.token_hex(8)
    folder = state.parts.config.client_weights_folder(row.adapter_id, "looked-at", token)
    async with state.turns.of(row):
        await state.turns.run(
            row, lambda number: SaveCheckpoint(AdapterId(row.adapter_id), number, str(folder))
        )
    try:
        return await asyncio.to_thread(_read, folder)
    finally:
        await asyncio.to_thread(delete_folder, folder)


def _read(folder: Path) -> dict[str, JsonValue]:
    tensors = load_file(folder / _WEIGHTS)
    size = sum(tensor.size for tensor in tensors.values())
    if size > MAX_NUMBERS:
        raise InvalidDataError(
            f"The adapter has {size:,} numbers; an answer holds {MAX_NUMBERS:,}.",
            "save() writes them to a checkpoint in PEFT's layout.",
        )
    return {name: cast("JsonValue", tensor.tolist()) for name, tensor in tensors.items()}
