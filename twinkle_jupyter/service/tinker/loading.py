"""Saved weights into an adapter: a new one that begins with them, or one between two of its ops."""

from __future__ import annotations

import asyncio

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.clients.handing_over import ACCEPT_WAIT_S
from twinkle_jupyter.service.clients.readable_weights import find_readable
from twinkle_jupyter.service.clients.saved_weights import WeightsPath, read_alpha
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.service.tinker.future_names import FutureName
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SavedWeightsRow, WeightsToLoad
from twinkle_jupyter.wire.tinker_bodies import LoadWeightsBody


async def load_new(
    parts: ServiceParts,
    adapters: ClientAdapters,
    asker: Asker,
    adapter_id: str,
    body: LoadWeightsBody,
) -> FutureName:
    """Write down an adapter that begins with saved weights.

    Raises:
        NotFoundError: There are none of that name.
        InvalidDataError: They were saved to sample from, or are of another base model.
    """
    saved = await _find(parts, asker, body.path)
    if body.base_model not in (None, saved.base_model):
        raise InvalidDataError(
            f"Checkpoint {body.path!r} is of base model {saved.base_model!r}, not"
            f" {body.base_model!r}."
        )
    groups = tuple(asker.groups)
    weights = WeightsToLoad(body.path, saved.folder, body.optimizer, groups=groups)
    await adapters.write(
        ClientAdapterRow(
            asker.owner,
            adapter_id,
            adapter_id.partition(":")[0],
            saved.base_model,
            saved.rank,
            await asyncio.to_thread(read_alpha, saved),
            0,
            trains=saved.trains,
            to_load=weights.to_row(),
        )
    )
    return FutureName("load_new", 0, adapter_id, body.path)


async def load_into(
    parts: ServiceParts,
    adapters: ClientAdapters,
    asker: Asker,
    row: ClientAdapterRow,
    body: LoadWeightsBody,
) -> FutureName:
    """Write down that an adapter becomes saved weights at one of its sequence ids.

    Raises:
        NotFoundError: There are none of that name.
        InvalidDataError: They are of another base model, or were saved to sample from.
        ServiceUnavailableError: The trainer is away; the client sends it again.
    """
    if body.seq_id is None:
        raise InvalidDataError("load_weights with model_id needs seq_id.")
    saved = await _find(parts, asker, body.path)
    if saved.base_model != row.base_model:
        raise InvalidDataError(
            f"Checkpoint {body.path!r} is of base model {saved.base_model!r}, not"
            f" {row.base_model!r}."
        )
    groups = tuple(asker.groups)
    weights = WeightsToLoad(body.path, saved.folder, body.optimizer, body.seq_id, groups)
    await patiently(lambda: adapters.begin_load(row, weights), ACCEPT_WAIT_S)
    return FutureName("load_weights", body.seq_id, row.adapter_id, body.path)


async def _find(parts: ServiceParts, asker: Asker, text: str) -> SavedWeightsRow:
    path = WeightsPath.parse(text)
    if path.kind != "weights":
        raise InvalidDataError(
            f"Checkpoint {text!r} is weights alone; save_state saves what can be trained on from."
        )
    return await find_readable(parts, asker, path)
