"""A run's row as the bodies that routes answer with: of the run, and of its adapter."""

from __future__ import annotations

from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.service.clients.client_models import ClientModel
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.steering import settings_of
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.native import AdapterBody, RunBody


async def run_body(parts: ServiceParts, run: RunRow) -> RunBody:
    """Return a run as clients see it."""
    return RunBody(
        run_id=run.run_id,
        adapter=run.adapter,
        state=run.state,
        wanted=run.wanted,
        reason=run.reason,
        step=run.step,
        total_steps=run.total_steps,
        loss=run.loss,
        config=cast("dict[str, JsonValue]", run.config),
        checkpoint=run.checkpoint,
        checkpoint_folder=_checkpoint_folder(parts, run),
        created_at=run.created_at,
        updated_at=run.updated_at,
        settings=cast("dict[str, JsonValue]", settings_of(run).model_dump(mode="json")),
        parent_run=run.parent_run,
        parent_step=run.parent_step,
        best_step=run.best_step,
        best_loss=run.best_loss,
        best_checkpoint=run.best_checkpoint,
        keep=run.keep,
        last_event_id=await parts.store.last_position(RunRow.log(run.run_id)),
    )


def adapter_body(parts: ServiceParts, run: RunRow) -> AdapterBody:
    """Return an adapter as its newest run has it."""
    config = RunConfig.model_validate(run.config)
    return AdapterBody(
        name=run.adapter,
        adapter_id=run.adapter_id,
        base_model=config.base_model,
        rank=config.rank,
        alpha=config.lora_alpha,
        run_id=run.run_id,
        state=run.state,
        step=run.step,
        folder=_checkpoint_folder(parts, run),
    )


def client_model_body(model: ClientModel) -> AdapterBody:
    """Return an adapter that a Tinker client trains."""
    row = model.row
    return AdapterBody(
        name=row.adapter_id,
        adapter_id=row.adapter_id,
        base_model=row.base_model,
        rank=row.rank,
        alpha=row.alpha,
        run_id="",
        state="stored" if model.is_stored else "active",
        step=model.step,
        folder=str(model.folder or ""),
        origin="tinker",
    )


def _checkpoint_folder(parts: ServiceParts, run: RunRow) -> str:
    """Return the folder of the checkpoint that a run stands for; empty before the first."""
    if not run.checkpoint:
        return ""
    return str(parts.config.checkpoint_folder(run.run_id, run.checkpoint))
