"""Which base model's chat template encodes a client's conversations."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from fastapi.responses import JSONResponse
from pydantic import JsonValue

from twinkle_jupyter.errors import (
    InvalidConfigError,
    NotFoundError,
    ServiceUnavailableError,
)
from twinkle_jupyter.runs.base_model_wishes import read_base_model
from twinkle_jupyter.service.parts import PromptTemplate, ServedModel, ServiceParts
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.service.supported_models import announce, list_base_models
from twinkle_jupyter.service.twinkle.base_models import need_base_model
from twinkle_jupyter.service.twinkle.class_names import TEMPLATES, find_class
from twinkle_jupyter.service.twinkle.conversations import TemplateUse
from twinkle_jupyter.templates.resolve import resolve_template_model_id

#: A base model that is still being loaded.
_LOAD_WAIT_S = 300.0


async def served(parts: ServiceParts, base_model: str) -> ServedModel:
    """Return a base model, waiting for it while it is being loaded."""
    return await patiently(lambda: parts.compute(base_model), _LOAD_WAIT_S)


async def begin_loading(parts: ServiceParts, owner: str, base_model: str) -> None:
    """Have a base model loaded, without waiting for it.

    Raises:
        NotFoundError: Nobody can load it.
    """
    await need_base_model(parts, owner, base_model)
    with contextlib.suppress(ServiceUnavailableError):
        await parts.compute(base_model)


async def health_of(parts: ServiceParts, base_model: str) -> JSONResponse:
    """Say whether a base model can be worked with; 503 where it cannot."""
    row = await read_base_model(parts.store, base_model)
    if row is None:
        raise NotFoundError(f"There is no base model {base_model!r}.")
    is_healthy = row.phase == "ready"
    body = {"healthy": is_healthy, "detail": row.message or row.phase}
    return JSONResponse(body, 200 if is_healthy else 503)


async def read_template(
    parts: ServiceParts, base_model: str, name: str, settings: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Check what `set_template` asks for; return it with the model whose template it is.

    Raises:
        InvalidConfigError: There is no such template, or not with these settings.
    """
    find_class(TEMPLATES, name, "template_cls")
    TemplateUse.read(settings)
    explicit = settings.get("model_id")
    if explicit is not None and not isinstance(explicit, str):
        raise InvalidConfigError(f"model_id={explicit!r} is not a name.")
    model = await _resolve(parts, base_model, explicit)
    await _check_known(parts, base_model, model)
    return {**settings, "model_id": model}


async def template_of(
    parts: ServiceParts, base_model: str, model_id: str | None = None
) -> PromptTemplate:
    """Return the template that a base model is used with.

    Raises:
        InvalidConfigError: `model_id` is no base model of this service.
        ServiceUnavailableError: It is not loaded.
    """
    model = model_id or await _resolve(parts, base_model, None)
    await _check_known(parts, base_model, model)
    return (await served(parts, model)).template


async def _resolve(parts: ServiceParts, base_model: str, explicit: str | None) -> str:
    if explicit is not None:
        explicit = explicit.partition("://")[2] or explicit
    if explicit == base_model:
        # The stock client names the base model by itself, whatever its user said.
        explicit = None
    return resolve_template_model_id(base_model, explicit, await announce(parts))


async def _check_known(parts: ServiceParts, base_model: str, model: str) -> None:
    if model == base_model:
        return
    row = await read_base_model(parts.store, model)
    if row is None and model in {
        one.template_init_model_id
        for one in parts.config.supported_models
        if not isinstance(one, str)
    }:
        return  # said by whoever runs the service: it is loaded for it
    if row is None or row.phase == "failed":
        known = ", ".join(one.name for one in await list_base_models(parts))
        raise InvalidConfigError(
            f"model_id={model!r} is no base model of this service, whose template it would be.",
            f"There are: {known}.",
        )
