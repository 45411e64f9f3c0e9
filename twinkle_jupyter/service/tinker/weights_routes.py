"""What a client of the Tinker protocol saves, lists and deletes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import APIRouter, Header
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import Refusal
from twinkle_jupyter.service.asker import CurrentAsker, Owner
from twinkle_jupyter.service.clients.readable_weights import find_readable
from twinkle_jupyter.service.clients.saved_weights import (
    SavedWeights,
    WeightsPath,
    change_saved,
    delete_saved,
    list_saved,
    moment_after,
    plan_save,
)
from twinkle_jupyter.service.parts import Parts, ServiceParts
from twinkle_jupyter.service.tinker import copying
from twinkle_jupyter.service.tinker.future_names import FutureName
from twinkle_jupyter.service.tinker.ops import accept
from twinkle_jupyter.service.tinker.paging import Limit, Offset, cursor
from twinkle_jupyter.service.tinker.publishing import publish as publish_weights
from twinkle_jupyter.service.tinker.publishing import unpublish as unpublish_weights
from twinkle_jupyter.service.tinker.route import TinkerRoute
from twinkle_jupyter.service.tinker.state import State, TinkerState
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.store.client_rows import ClientAdapterRow, WeightsKind
from twinkle_jupyter.wire.tinker_bodies import (
    CopyWeightsBody,
    PathBody,
    SaveExternalBody,
    SaveForSamplerBody,
    SaveWeightsBody,
    TtlBody,
    is_name,
)

_TYPES = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}

#: Of a name in a future, which has its own bound.
_LONGEST_NAME = 128

router = APIRouter(tags=["tinker"], route_class=TinkerRoute)


@router.post("/save_weights")
async def save_weights(
    body: SaveWeightsBody, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Save weights and optimizer, to train on from."""
    row = await state.adapters.get(owner, body.model_id)
    return await _save(parts, state, row, "weights", body)


@router.post("/save_weights_for_sampler")
async def save_weights_for_sampler(
    body: SaveForSamplerBody, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Save weights to sample from, under a name or for one sampling session."""
    row = await state.adapters.get(owner, body.model_id)
    if body.path is not None or body.sampling_session_seq_id is None:
        return await _save(parts, state, row, "sampler_weights", body)
    number = body.sampling_session_seq_id
    session, op = await state.sampling_sessions.plan_unnamed(row, number, body.seq_id)
    await accept(state, row, op)
    detail = session.sampling_session_id
    return FutureName("save_weights", body.seq_id, row.adapter_id, detail).as_body()


@router.post("/save_weights_external")
async def save_weights_external(
    body: SaveExternalBody, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Save weights for other programs, as PEFT has them."""
    row = await state.adapters.get(owner, body.model_id)
    if body.age_encryption_recipients:
        problem = "age_encryption_recipients is not there: weights are saved as they are."
        await accept(state, row, Refusal(AdapterId(row.adapter_id), body.seq_id, problem))
        detail = f"external_weights/{(body.path or '')[:_LONGEST_NAME]}"
        return FutureName("save_weights", body.seq_id, row.adapter_id, detail).as_body()
    return await _save(parts, state, row, "external_weights", body)


@router.post("/copy_weights")
async def copy_weights(
    body: CopyWeightsBody,
    parts: Parts,
    state: State,
    asker: CurrentAsker,
    x_idempotency_key: Annotated[str, Header()] = "",
) -> dict[str, JsonValue]:
    """Copy weights that the user may read to a new model, of a session of theirs or of its own."""
    owner = asker.owner
    session_id, number = body.session_id, body.model_seq_id
    if session_id is not None and number is not None:
        await state.sessions.get(owner, session_id)
    elif body.destination_project_id is not None:
        # There are no projects: what is a user's is in one place.
        await find_readable(parts, asker, WeightsPath.parse(body.source_path))
        session_id, number = await state.sessions.open_for_copy(owner, x_idempotency_key), 0
    else:
        raise InvalidDataError(
            "copy_weights needs session_id and model_seq_id, or destination_project_id."
        )
    model_id = ClientAdapterRow.name_model(session_id, number)
    return {"tinker_path": await copying.copy_weights(parts, state.adapters, asker, model_id, body)}


async def _save(
    parts: ServiceParts,
    state: TinkerState,
    row: ClientAdapterRow,
    kind: WeightsKind,
    body: SaveWeightsBody,
) -> dict[str, JsonValue]:
    name = body.path if body.path is not None else f"{body.seq_id:06d}"
    if is_name(name):
        op = await plan_save(parts, row, kind, body, name)
    else:
        problem = f"path={name!r} is no name for a checkpoint."
        hint = "Letters, digits, and . _ : - after the first, at most 128."
        op = Refusal(AdapterId(row.adapter_id), body.seq_id, problem, hint)
    await accept(state, row, op)
    return FutureName(
        "save_weights", body.seq_id, row.adapter_id, f"{kind}/{name[:_LONGEST_NAME]}"
    ).as_body()


@router.post("/weights_info")
async def get_weights_info(
    body: PathBody, parts: Parts, asker: CurrentAsker
) -> dict[str, JsonValue]:
    """Describe saved weights."""
    row = await find_readable(parts, asker, WeightsPath.parse(body.tinker_path))
    return {
        "base_model": row.base_model,
        "is_lora": True,
        "lora_rank": row.rank,
        # The output layer has no adapter here.
        "train_unembed": False,
        "train_mlp": "mlp" in row.trains,
        "train_attn": "attn" in row.trains,
        "optimizer_config": {"type": "adamw"},
    }


@router.get("/checkpoints")
async def list_all_checkpoints(
    parts: Parts, owner: Owner, limit: Limit = 100, offset: Offset = 0
) -> dict[str, JsonValue]:
    """List everything that the user has saved."""
    saved = await list_saved(parts, owner)
    page: list[JsonValue] = [_checkpoint(one) for one in saved[offset : offset + limit]]
    return {"checkpoints": page, "cursor": cursor(limit, offset, saved)}


@router.get("/training_runs")
async def list_training_runs(
    parts: Parts, state: State, owner: Owner, limit: Limit = 20, offset: Offset = 0
) -> dict[str, JsonValue]:
    """List the user's adapters, newest first."""
    rows = await state.adapters.of(owner)
    saved = await list_saved(parts, owner)
    page: list[JsonValue] = [_training_run(row, saved) for row in rows[offset : offset + limit]]
    return {"training_runs": page, "cursor": cursor(limit, offset, rows)}


@router.get("/training_runs/{model_id}")
async def get_training_run(
    model_id: str, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Describe one adapter."""
    row = await state.adapters.get(owner, model_id)
    return _training_run(row, await list_saved(parts, owner, model_id))


@router.get("/training_runs/{model_id}/checkpoints")
async def list_checkpoints(
    model_id: str, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """List what was saved of one adapter."""
    await state.adapters.get(owner, model_id)
    saved = await list_saved(parts, owner, model_id)
    return {"checkpoints": [_checkpoint(one) for one in saved]}


@router.put("/training_runs/{model_id}/checkpoints/{kind}/{name}/ttl")
async def set_ttl(
    model_id: str, kind: str, name: str, body: TtlBody, parts: Parts, owner: Owner
) -> dict[str, JsonValue]:
    """Set when saved weights go, or that they stay."""
    path = _path(model_id, f"{kind}/{name}")
    await change_saved(parts, owner, path, expires_at=moment_after(body.ttl_seconds))
    return {}


@router.post("/training_runs/{model_id}/checkpoints/{kind}/{name}/publish")
async def publish(
    model_id: str, kind: str, name: str, parts: Parts, owner: Owner
) -> dict[str, JsonValue]:
    """Let everyone read saved weights by their path."""
    await publish_weights(parts, owner, _path(model_id, f"{kind}/{name}"))
    return {}


@router.delete("/training_runs/{model_id}/checkpoints/{kind}/{name}/publish")
async def unpublish(
    model_id: str, kind: str, name: str, parts: Parts, owner: Owner
) -> dict[str, JsonValue]:
    """Take that back, at once."""
    await unpublish_weights(parts, owner, _path(model_id, f"{kind}/{name}"))
    return {}


# After the one above, whose path this one takes, too.
@router.delete("/training_runs/{model_id}/checkpoints/{checkpoint_id:path}")
async def delete_checkpoint(
    model_id: str, checkpoint_id: str, parts: Parts, owner: Owner
) -> dict[str, JsonValue]:
    """Delete saved weights."""
    await delete_saved(parts, owner, _path(model_id, checkpoint_id))
    await note_act(parts.store, owner, "checkpoint_deleted", f"{model_id}/{checkpoint_id}")
    return {}


def _path(model_id: str, checkpoint_id: str) -> WeightsPath:
    return WeightsPath.parse(f"tinker://{model_id}/{checkpoint_id}")


def _checkpoint(saved: SavedWeights) -> dict[str, JsonValue]:
    row = saved.row
    return {
        "checkpoint_id": f"{row.kind}/{row.name}",
        "checkpoint_type": _TYPES[row.kind],
        "time": row.created_at,
        "tinker_path": row.path,
        "size_bytes": saved.size_bytes,
        "public": saved.is_public,
        "user_metadata": cast("JsonValue", row.user_metadata),
        "expires_at": row.expires_at or None,
    }


def _training_run(row: ClientAdapterRow, saved: Sequence[SavedWeights]) -> dict[str, JsonValue]:
    own = [one for one in saved if one.row.adapter_id == row.adapter_id]
    newest: dict[str, JsonValue] = {}
    for one in reversed(own):
        newest[one.row.kind] = _checkpoint(one)
    return {
        "training_run_id": row.adapter_id,
        "base_model": row.base_model,
        "model_owner": row.owner,
        "is_lora": True,
        "lora_rank": row.rank,
        "corrupted": False,
        "last_request_time": row.used_at,
        "last_checkpoint": newest.get("weights"),
        "last_sampler_checkpoint": newest.get("sampler_weights"),
        "user_metadata": cast("JsonValue", row.user_metadata),
    }
