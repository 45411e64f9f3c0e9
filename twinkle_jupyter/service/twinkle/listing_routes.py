"""What a client of the Twinkle protocol has trained and saved, to list, find and delete."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Query
from pydantic import JsonValue

from twinkle_jupyter.service.asker import CurrentAsker, Owner
from twinkle_jupyter.service.clients.saved_weights import SavedWeights, list_saved
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.twinkle.route import TwinkleRoute
from twinkle_jupyter.service.twinkle.state import State
from twinkle_jupyter.service.twinkle.weights import (
    delete_one,
    find_one,
    find_weights,
    folder_for_client,
    twinkle_path,
)
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.wire.twinkle_bodies import WeightsBody

router = APIRouter(tags=["twinkle"], route_class=TwinkleRoute, prefix="/twinkle")

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0)]


@router.get("/training_runs")
async def list_training_runs(
    parts: Parts, state: State, owner: Owner, limit: Limit = 20, offset: Offset = 0
) -> dict[str, JsonValue]:
    """List the user's adapters, newest first."""
    rows = await state.adapters.adapters.of(owner)
    saved = await list_saved(parts, owner)
    page: list[JsonValue] = [_run(row, saved) for row in rows[offset : offset + limit]]
    cursor: JsonValue = {"limit": limit, "offset": offset, "total_count": len(rows)}
    return {"training_runs": page, "cursor": cursor}


@router.get("/training_runs/{run_id}")
async def get_training_run(
    run_id: str, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """Describe one adapter."""
    row = await state.adapters.adapters.get(owner, run_id)
    return _run(row, await list_saved(parts, owner, run_id))


@router.get("/training_runs/{run_id}/checkpoints")
async def list_checkpoints(
    run_id: str, parts: Parts, state: State, owner: Owner
) -> dict[str, JsonValue]:
    """List what was saved of one adapter, oldest first."""
    await state.adapters.adapters.get(owner, run_id)
    saved = await list_saved(parts, owner, run_id)
    return {"checkpoints": [_checkpoint(one) for one in reversed(saved)], "cursor": None}


@router.delete("/training_runs/{run_id}/checkpoints/{checkpoint_id:path}")
async def delete_checkpoint(
    run_id: str, checkpoint_id: str, parts: Parts, owner: Owner
) -> dict[str, JsonValue]:
    """Delete saved weights."""
    await delete_one(parts, owner, run_id, checkpoint_id)
    await note_act(parts.store, owner, "checkpoint_deleted", f"{run_id}/{checkpoint_id}")
    return {"success": True, "message": f"Checkpoint {checkpoint_id} is deleted."}


@router.get("/checkpoint_path/{run_id}/{checkpoint_id:path}")
async def get_checkpoint_path(
    run_id: str, checkpoint_id: str, parts: Parts, asker: CurrentAsker
) -> dict[str, JsonValue]:
    """Say what to load a checkpoint by."""
    row = await find_one(parts, asker, run_id, checkpoint_id)
    path = twinkle_path(row)
    is_own = row.owner == asker.owner
    return {"path": folder_for_client(parts, row) if is_own else path, "twinkle_path": path}


@router.post("/weights_info")
async def get_weights_info(
    body: WeightsBody, parts: Parts, asker: CurrentAsker
) -> dict[str, JsonValue]:
    """Describe saved weights."""
    row = await find_weights(parts, asker, body.twinkle_path)
    return {
        "training_run_id": row.adapter_id,
        "base_model": row.base_model,
        "model_owner": row.owner,
        "is_lora": True,
        "lora_rank": row.rank,
    }


def _run(row: ClientAdapterRow, saved: list[SavedWeights]) -> dict[str, JsonValue]:
    own = [one for one in saved if one.row.adapter_id == row.adapter_id]
    newest = {one.row.kind: _checkpoint(one) for one in reversed(own)}
    return {
        "training_run_id": row.adapter_id,
        "base_model": row.base_model,
        # A name, never a key.
        "model_owner": row.owner,
        "save_dir": None,
        "is_lora": True,
        "corrupted": False,
        "lora_rank": row.rank,
        "last_request_time": row.used_at,
        "last_checkpoint": newest.get("weights"),
        "last_sampler_checkpoint": newest.get("sampler_weights"),
        "user_metadata": cast("JsonValue", row.user_metadata),
    }


def _checkpoint(saved: SavedWeights) -> dict[str, JsonValue]:
    row = saved.row
    return {
        "checkpoint_id": f"{row.kind}/{row.name}",
        "checkpoint_type": "training" if row.kind == "weights" else "sampler",
        "time": row.created_at,
        "size_bytes": saved.size_bytes,
        "public": saved.is_public,
        "twinkle_path": twinkle_path(row),
        "base_model": row.base_model,
        "is_lora": True,
        "lora_rank": row.rank,
        # The output layer has no adapter here.
        "train_unembed": False,
        "train_mlp": "mlp" in row.trains,
        "train_attn": "attn" in row.trains,
        "user_metadata": cast("JsonValue", row.user_metadata),
    }
