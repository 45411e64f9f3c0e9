"""A new adapter that begins with nothing, as a client of the Tinker protocol asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.base_model_names import check_name
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.wire.tinker_bodies import CreateModelBody

#: The protocol has no alpha; its clients expect this one, whatever the rank.
_ALPHA = 32.0


async def create(
    parts: ServiceParts,
    adapters: ClientAdapters,
    owner: str,
    adapter_id: str,
    body: CreateModelBody,
) -> None:
    """Write down an adapter. Again with the same shape: no change.

    Raises:
        InvalidConfigError: It cannot be, here or on this base model.
        ConflictError: There is one of that name with another shape.
    """
    lora = body.lora_config
    if body.optimizer_config.type != "adamw":
        raise InvalidConfigError(
            f"optimizer_config.type={body.optimizer_config.type!r} is not one there is here.",
            "There is adamw.",
        )
    wanted = {"attn": lora.train_attn, "mlp": lora.train_mlp}
    trains = [part for part, is_trained in wanted.items() if is_trained]
    if not trains:
        raise InvalidConfigError(
            "train_attn=false and train_mlp=false leave nothing to train: the output layer has"
            " no adapter here."
        )
    await check_name(parts, owner, body.base_model)
    await asyncio.to_thread(parts.check_base_model, body.base_model)
    row = ClientAdapterRow(
        owner,
        adapter_id,
        body.session_id,
        body.base_model,
        lora.rank,
        _ALPHA,
        lora.seed or 0,
        trains=trains,
        user_metadata=cast("Mapping[str, JSON]", body.user_metadata or {}),
    )
    await adapters.write(row)
