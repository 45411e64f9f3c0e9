"""How a client of the Twinkle protocol trains an adapter, saves it and goes on from that."""

from __future__ import annotations

import asyncio
import json
from typing import cast

from fastapi import APIRouter, Response
from pydantic import JsonValue

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.service.asker import CurrentAsker, Owner
from twinkle_jupyter.service.twinkle import passes, stepping, weights
from twinkle_jupyter.service.twinkle.hub import refuse_upload
from twinkle_jupyter.service.twinkle.metrics import describe, forget_sums
from twinkle_jupyter.service.twinkle.route import SessionHeader, TwinkleRoute
from twinkle_jupyter.service.twinkle.state import State
from twinkle_jupyter.service.twinkle.state_dict import read_state_dict
from twinkle_jupyter.wire.twinkle_bodies import (
    ClipBody,
    InputsBody,
    LoadBody,
    MetricBody,
    OfAdapterBody,
    ResumeBody,
    SaveBody,
    UploadBody,
)

router = APIRouter(
    tags=["twinkle"], route_class=TwinkleRoute, prefix="/model/{model_id:path}/twinkle"
)


@router.post("/forward")
async def forward(
    model_id: str, body: InputsBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Compute log-probabilities, of which a loss may be asked next."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    output = await passes.forward(state, row, body.inputs, body.arguments, is_training=True)
    return {"result": output}


@router.post("/forward_only")
async def forward_only(
    model_id: str, body: InputsBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Compute log-probabilities of which no gradient is wanted."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    output = await passes.forward(state, row, body.inputs, body.arguments, is_training=False)
    return {"result": output}


@router.post("/forward_backward")
async def forward_backward(
    model_id: str, body: InputsBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Add the gradient of these rows' loss."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    return {"result": await passes.forward_backward(state, row, body.inputs, body.arguments)}


@router.post("/calculate_loss")
async def calculate_loss(
    model_id: str, body: OfAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Return the loss of the last forward pass."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    return {"result": await passes.calculate_loss(state, row, body.arguments)}


@router.post("/backward")
async def backward(
    model_id: str, body: OfAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Add the gradient of the loss that was calculated last."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    await passes.backward(state, row, body.arguments)


@router.post("/clip_grad_norm")
async def clip_grad_norm(
    model_id: str, body: ClipBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Return the gradient's norm, as the text that its client reads; clip it."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    return {"result": str(await stepping.clip_grad_norm(state, row, body))}


@router.post("/step")
async def step(
    model_id: str, body: OfAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Take an optimizer step."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    await stepping.step(state, row, body.arguments)


@router.post("/zero_grad")
async def zero_grad(
    model_id: str, body: OfAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Throw a gradient away."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    await stepping.zero_grad(state, row, body.arguments)


@router.post("/lr_step")
async def lr_step(
    model_id: str, body: OfAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Move the learning rate's schedule on."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    await stepping.lr_step(state, row, body.arguments)


@router.post("/clip_grad_and_step")
async def clip_grad_and_step(
    model_id: str, body: ClipBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Clip, step, and move the schedule on."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    await stepping.clip_grad_and_step(state, row, body)


@router.post("/calculate_metric")
async def calculate_metric(
    model_id: str, body: MetricBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Tell of the metrics, which begin anew then."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    async with state.turns.of(row):
        setup = await state.setups.get(row)
        is_training = body.is_training
        await state.setups.update(row, lambda old: forget_sums(old, is_training=is_training))
        return {"result": describe(setup, is_training=is_training)}


@router.post("/get_state_dict")
async def get_state_dict(
    model_id: str, body: OfAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> Response:
    """Return an adapter's matrices as lists of numbers."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    found = await read_state_dict(state, row)
    # Millions of numbers: written on a thread.
    text = await asyncio.to_thread(json.dumps, {"result": found})
    return Response(text, media_type="application/json")


@router.post("/save")
async def save(
    model_id: str, body: SaveBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Save an adapter; answers once it is whole."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    saved = await weights.save(state, row, body)
    return {
        "twinkle_path": weights.twinkle_path(saved),
        "checkpoint_dir": weights.folder_for_client(state.parts, saved),
    }


@router.post("/load")
async def load(
    model_id: str, body: LoadBody, state: State, asker: CurrentAsker, session: SessionHeader = ""
) -> None:
    """Put saved weights into an adapter."""
    row = await state.adapters.get(asker.owner, session, body.adapter_name, model_id)
    await weights.load(state, asker, row, body.name, with_optimizer=body.load_optimizer)


@router.post("/resume_from_checkpoint")
async def resume_from_checkpoint(
    model_id: str, body: ResumeBody, state: State, asker: CurrentAsker, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Go on from a checkpoint; answer how far it was."""
    row = await state.adapters.get(asker.owner, session, body.adapter_name, model_id)
    progress = await weights.resume(
        state, asker, row, body.name, only_weights=body.resume_only_model
    )
    return {"result": cast("JsonValue", dict(progress))}


@router.post("/upload_to_hub")
async def upload_to_hub(body: UploadBody, state: State, asker: CurrentAsker) -> None:
    """Refuse, once it is known that the checkpoint is there."""
    await refuse_upload(state.parts, asker, body)


@router.get("/upload_status/{request_id}")
async def get_upload_status(request_id: str) -> None:
    """Answer that there is no upload of that name."""
    raise NotFoundError(f"There is no upload {request_id!r}.")
