"""Base models that a service announces: what it is told to, and what it has or will have."""

from __future__ import annotations

from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.records import BaseModelRow
from twinkle_jupyter.templates.resolve import merge_supported_models


async def list_base_models(parts: ServiceParts) -> list[BaseModelRow]:
    """Return the base models that are loaded or will be, the default one included."""
    rows = await parts.store.list_rows(BaseModelRow.PREFIX)
    models = {row.name: row for row in (BaseModelRow.from_row(found) for _, found in rows)}
    for name in (parts.config.base_model, *parts.config.base_models):
        models.setdefault(name, BaseModelRow(name))
    return [row for row in models.values() if row.phase != "failed"]


async def announce(parts: ServiceParts) -> list[dict[str, JsonValue]]:
    """Return one entry a base model, each with the model whose template it has."""
    names = [row.name for row in await list_base_models(parts)]
    configured = [
        one if isinstance(one, str) else one.model_dump(mode="json")
        for one in parts.config.supported_models
    ]
    # Trainer and sampler of a base model are of one folder here, and so is the template.
    own = {name: name for name in names}
    merged = merge_supported_models(configured, own, own)
    return cast("list[dict[str, JsonValue]]", merged)
