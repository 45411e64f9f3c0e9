"""How a client of the Twinkle protocol samples from a base model or from what it has trained."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.service.asker import Asker, CurrentAsker, Owner
from twinkle_jupyter.service.error_bodies import log_unexpected
from twinkle_jupyter.service.leaving import unless_left
from twinkle_jupyter.service.ndjson import LineStream
from twinkle_jupyter.service.parts import Parts, ServedModel
from twinkle_jupyter.service.sampling import SampleSource
from twinkle_jupyter.service.twinkle import samples
from twinkle_jupyter.service.twinkle.base_models import need_base_model
from twinkle_jupyter.service.twinkle.conversations import TemplateUse
from twinkle_jupyter.service.twinkle.counted import Counted, admit
from twinkle_jupyter.service.twinkle.inputs import (
    Feature,
    TokenRow,
    is_encoded,
    list_rows,
    read_feature,
)
from twinkle_jupyter.service.twinkle.route import SessionHeader, TwinkleRoute
from twinkle_jupyter.service.twinkle.samples import SampleOrder
from twinkle_jupyter.service.twinkle.state import State, TwinkleState
from twinkle_jupyter.service.twinkle.templates import (
    begin_loading,
    read_template,
    served,
    template_of,
)
from twinkle_jupyter.service.twinkle.weights import find_source
from twinkle_jupyter.service.writing_places import check_count
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.training_setups import SamplerTemplateRow
from twinkle_jupyter.wire.twinkle_bodies import (
    PatchBody,
    SamplerTemplateBody,
    SamplingBody,
    TokenChoiceBody,
)

router = APIRouter(
    tags=["twinkle"], route_class=TwinkleRoute, prefix="/sampler/{model_id:path}/twinkle"
)


@router.post("/create")
async def create(model_id: str, parts: Parts, owner: Owner) -> dict[str, JsonValue]:
    """Answer that there is such a base model, or can be; it is loaded from now on."""
    await begin_loading(parts, owner, model_id)
    return {"status": "ok"}


@router.post("/set_template")
async def set_template(
    model_id: str,
    body: SamplerTemplateBody,
    state: State,
    owner: Owner,
    session: SessionHeader = "",
) -> dict[str, JsonValue]:
    """Choose how this session's conversations are encoded."""
    await need_base_model(state.parts, owner, model_id)
    settings = await read_template(state.parts, model_id, body.template_cls, body.arguments)
    row = SamplerTemplateRow(owner, session, model_id, cast("Mapping[str, JSON]", settings))
    await state.parts.store.put(SamplerTemplateRow.key(owner, session, model_id), row.to_row())
    return {"status": "ok"}


@router.post("/sample")
async def sample(
    model_id: str,
    body: SamplingBody,
    request: Request,
    state: State,
    asker: CurrentAsker,
    session: SessionHeader = "",
) -> dict[str, JsonValue]:
    """Answer every input, each as many times as it is asked for."""
    orders = await _read_orders(state, asker, session, model_id, body)
    counted = await admit(state.parts.quotas, asker.owner, [order.prompt for order in orders])
    try:
        async with counted:
            written = samples.write(orders, counted, state.parts.places)
            return {"samples": await unless_left(request, written)}
    except BaseExceptionGroup as group:
        # All of them fail of one thing: the first says which.
        raise group.exceptions[0] from None


@router.post("/sample_stream")
async def sample_stream(
    model_id: str,
    body: SamplingBody,
    state: State,
    asker: CurrentAsker,
    session: SessionHeader = "",
) -> Response:
    """Answer one input token by token, a line of JSON each."""
    orders = await _read_orders(state, asker, session, model_id, body)
    if len(orders) != 1 or orders[0].num_samples != 1:
        raise InvalidDataError("sample_stream answers one input once.", "sample takes several.")
    counted = await admit(state.parts.quotas, asker.owner, [orders[0].prompt])
    return LineStream(_lines(orders[0], counted))


@router.post("/add_adapter_to_sampler")
async def add_adapter(model_id: str, parts: Parts, owner: Owner) -> dict[str, JsonValue]:
    """Refuse: what a sampler samples from was trained or saved here."""
    await need_base_model(parts, owner, model_id)
    raise InvalidConfigError(
        "A sampler gets no adapter of its own.",
        "Pass adapter_uri, which save(is_sampler=True) returns, or adapter_name.",
    )


@router.post("/apply_patch")
async def apply_patch(
    model_id: str, body: PatchBody, parts: Parts, owner: Owner
) -> dict[str, JsonValue]:
    """Refuse: no class that a client names changes a base model."""
    await need_base_model(parts, owner, model_id)
    raise InvalidConfigError(
        f"patch_cls={body.patch_cls!r} is not applied: a client changes no base model here."
    )


async def _lines(order: SampleOrder, counted: Counted) -> AsyncGenerator[bytes]:
    try:
        async with counted, aclosing(samples.stream(order, counted)) as parts:
            async for part in parts:
                yield _line(part)
    except TwinkleError as error:
        yield _line({"error": str(error)})
    except Exception as error:  # noqa: BLE001 - logged with its traceback, told by its id
        yield _line({"error": str(log_unexpected(error))})


def _line(part: Mapping[str, JsonValue]) -> bytes:
    return f"{json.dumps(dict(part))}\n".encode()


async def _read_orders(
    state: TwinkleState, asker: Asker, session: str, base_model: str, body: SamplingBody
) -> list[SampleOrder]:
    """Return one order an input.

    Raises:
        TwinkleError: Something of it cannot be; nothing has begun.
    """
    parts, owner = state.parts, asker.owner
    await need_base_model(parts, owner, base_model)
    params = TokenChoiceBody.model_validate(body.sampling_params or {})
    model = await served(parts, base_model)
    source = await _find_source(state, asker, session, base_model, model, body)
    rows = list_rows(body.inputs)
    count = params.num_samples if params.num_samples > 1 else body.num_samples
    check_count(len(rows), count)
    prompts = await _read_prompts(state, owner, session, base_model, rows)
    return [
        SampleOrder(source, prompt, params, count, row)
        for row, prompt in zip(rows, prompts, strict=True)
    ]


async def _find_source(
    state: TwinkleState,
    asker: Asker,
    session: str,
    base_model: str,
    model: ServedModel,
    body: SamplingBody,
) -> SampleSource:
    owner = asker.owner
    if body.adapter_uri:
        return await find_source(state.parts, asker, model, base_model, body.adapter_uri)
    if not body.adapter_name:
        return SampleSource(model, owner)
    row = await state.adapters.get(owner, session, body.adapter_name, base_model)
    trainer = (await state.turns.next(row)).trainer
    adapter_id = AdapterId(row.adapter_id)
    return SampleSource(
        model, owner, adapter_id, await model.sampler.hold_newest(trainer, adapter_id)
    )


async def _read_prompts(
    state: TwinkleState, owner: str, session: str, base_model: str, rows: list[Feature]
) -> list[TokenRow]:
    found = await state.parts.store.get(SamplerTemplateRow.key(owner, session, base_model))
    settings = {} if found is None else SamplerTemplateRow.from_row(found).settings
    use = TemplateUse.read(settings)
    template = await template_of(
        state.parts, base_model, cast("str | None", settings.get("model_id"))
    )

    def read() -> list[TokenRow]:
        prompts = []
        for i, row in enumerate(rows):
            name = f"inputs[{i}]"
            parts = (
                read_feature(row, name)
                if is_encoded(row)
                else use.encode_prompt(template, row, name)
            )
            if len(parts) != 1 or not parts[0].tokens:
                raise InvalidDataError(f"{name} is not one prompt.", "Send one row an answer.")
            prompts.append(parts[0])
        return prompts

    return await asyncio.to_thread(read)
