"""How a client of the Tinker protocol samples."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.service.asker import CurrentAsker, Owner
from twinkle_jupyter.service.clients.handing_over import ACCEPT_WAIT_S
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.service.tinker.future_names import FutureName
from twinkle_jupyter.service.tinker.route import TinkerRoute
from twinkle_jupyter.service.tinker.sample_requests import read_order
from twinkle_jupyter.service.tinker.state import State
from twinkle_jupyter.wire.tinker_bodies import (
    CreateSamplingSessionBody,
    RetrieveManyBody,
    SampleBody,
)

router = APIRouter(tags=["tinker"], route_class=TinkerRoute)


@router.post("/create_sampling_session")
async def create_sampling_session(
    body: CreateSamplingSessionBody, state: State, asker: CurrentAsker
) -> dict[str, JsonValue]:
    """Begin to sample from a base model or from saved weights."""
    await state.sessions.get(asker.owner, body.session_id)
    row = await state.sampling_sessions.open(
        asker, body.session_id, body.sampling_session_seq_id, body.base_model, body.model_path
    )
    return {
        "type": "create_sampling_session",
        "sampling_session_id": row.sampling_session_id,
    }


@router.get("/samplers/{sampler_id}")
async def get_sampler(sampler_id: str, state: State, owner: Owner) -> dict[str, JsonValue]:
    """Say what a session samples from."""
    row = await state.sampling_sessions.get(owner, sampler_id)
    return {
        "sampler_id": row.sampling_session_id,
        "base_model": row.base_model,
        "model_path": row.model_path or None,
    }


@router.post("/asample")
async def sample(
    body: SampleBody, parts: Parts, state: State, asker: CurrentAsker
) -> dict[str, JsonValue]:
    """Begin to write answers."""
    if body.sampling_session_id is None:
        raise InvalidDataError("asample needs the sampling_session_id of create_sampling_session.")
    owner = asker.owner
    row = await state.sampling_sessions.get(owner, body.sampling_session_id)
    await state.sampling_sessions.check_readable(asker, row)
    model = await patiently(lambda: parts.compute(row.base_model), ACCEPT_WAIT_S)
    name = str(FutureName("sample", body.seq_id, row.sampling_session_id))
    await state.samples.submit(owner, name, read_order(body, row, model, owner), model.sampler)
    return {
        "request_id": name,
        "sample_sequence_ids": [f"{name}{number}" for number in range(body.num_samples)],
    }


@router.post("/retrieve_futures")
async def retrieve_futures(
    body: RetrieveManyBody, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Wait until samples of a session are done; `retrieve_future` has what they are."""
    target, hold_s = body.target, state.futures.hold_s
    await state.sampling_sessions.get(owner, target.sampling_session_id)
    done = await state.samples.completions.wait(
        (owner, target.sampling_session_id, target.cloned_sampler_id),
        body.prev_cursor,
        hold_s if body.timeout is None else min(body.timeout, hold_s),
    )
    completions: list[JsonValue] = [
        {"state": "failed" if one.has_failed else "finished", "request_id": one.request_id}
        for one in done
    ]
    cursor = done[-1].cursor if done else body.prev_cursor
    return {"completions": completions, "cursor": cursor}
