"""How a client of the Twinkle protocol sets up an adapter and its training."""

from __future__ import annotations

import json
from typing import cast

from fastapi import APIRouter
from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.asker import Owner
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.twinkle.base_models import need_base_model
from twinkle_jupyter.service.twinkle.class_names import PROCESSORS, find_class
from twinkle_jupyter.service.twinkle.losses import read_loss
from twinkle_jupyter.service.twinkle.metrics import METRICS, current_rate
from twinkle_jupyter.service.twinkle.route import SessionHeader, TwinkleRoute
from twinkle_jupyter.service.twinkle.schedules import read_schedule
from twinkle_jupyter.service.twinkle.state import State
from twinkle_jupyter.service.twinkle.stepping import read_optimizer
from twinkle_jupyter.service.twinkle.templates import begin_loading, read_template
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.wire.twinkle_bodies import (
    AddAdapterBody,
    AddMetricBody,
    OfAdapterBody,
    PatchBody,
    SetLossBody,
    SetOptimizerBody,
    SetProcessorBody,
    SetScheduleBody,
    SetTemplateBody,
)

router = APIRouter(
    tags=["twinkle"], route_class=TwinkleRoute, prefix="/model/{model_id:path}/twinkle"
)


@router.post("/create")
async def create(model_id: str, parts: Parts, owner: Owner) -> dict[str, JsonValue]:
    """Answer that there is such a base model, or can be; it is loaded from now on."""
    await begin_loading(parts, owner, model_id)
    return {"status": "ok"}


@router.post("/add_adapter_to_model")
async def add_adapter(
    model_id: str, body: AddAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Begin an adapter, or go on with the one of this name."""
    if body.arguments:
        names = ", ".join(body.arguments)
        raise InvalidConfigError(f"add_adapter_to_model does not take {names}.")
    row = await state.adapters.add(owner, session, model_id, body)
    await state.setups.change(row, gradient_accumulation_steps=body.gradient_accumulation_steps)
    return {"status": "ok", "adapter_name": row.adapter_id}


@router.post("/set_loss")
async def set_loss(
    model_id: str, body: SetLossBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Choose the loss of the passes to come."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    name = read_loss(body.loss_cls, body.arguments)
    await state.setups.change(row, loss=name, loss_settings=cast("JSON", dict(body.arguments)))


@router.post("/set_optimizer")
async def set_optimizer(
    model_id: str, body: SetOptimizerBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Choose the optimizer's settings; a schedule that there was is forgotten."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    chosen = read_optimizer(body.optimizer_cls, body.arguments)
    await state.setups.change(row, **chosen, schedule="", schedule_step=0, schedule_settings={})


@router.post("/set_lr_scheduler")
async def set_lr_scheduler(
    model_id: str, body: SetScheduleBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Choose how the learning rate changes, from its first step on."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    settings = read_schedule(body.scheduler_cls, body.arguments)
    await state.setups.change(
        row,
        schedule=body.scheduler_cls,
        schedule_settings=cast("JSON", settings),
        schedule_step=0,
    )


@router.post("/set_template")
async def set_template(
    model_id: str, body: SetTemplateBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Choose how conversations are encoded."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    settings = await read_template(state.parts, model_id, body.template_cls, body.arguments)
    await state.setups.change(
        row, template=body.template_cls, template_settings=cast("JSON", settings)
    )


@router.post("/set_processor")
async def set_processor(
    model_id: str, body: SetProcessorBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Take note of how rows are put together, which the trainer does by itself."""
    await state.adapters.get(owner, session, body.adapter_name, model_id)
    find_class(PROCESSORS, body.processor_cls, "processor_cls")


@router.post("/add_metric")
async def add_metric(
    model_id: str, body: AddMetricBody, state: State, owner: Owner, session: SessionHeader = ""
) -> None:
    """Tell of one more metric."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    find_class(METRICS, body.metric_cls, "metric_cls")
    fields = [
        name
        for name, is_training in (("train_metrics", True), ("eval_metrics", False))
        if body.is_training in (None, is_training)
    ]
    await state.setups.update(
        row,
        lambda old: old.changed(
            **{name: list(dict.fromkeys([*getattr(old, name), body.metric_cls])) for name in fields}
        ),
    )


@router.post("/get_train_configs")
async def get_train_configs(
    model_id: str, body: OfAdapterBody, state: State, owner: Owner, session: SessionHeader = ""
) -> dict[str, JsonValue]:
    """Describe how an adapter is trained."""
    row = await state.adapters.get(owner, session, body.adapter_name, model_id)
    setup = await state.setups.get(row)
    told = {
        "base_model": row.base_model,
        "rank": row.rank,
        "alpha": row.alpha,
        "targets": list(row.targets) or "all-linear",
        **setup.optimizer_state,
        "current_learning_rate": current_rate(setup),
        "loss": setup.loss,
        "loss_settings": dict(setup.loss_settings),
        "template_settings": dict(setup.template_settings),
        "gradient_accumulation_steps": setup.gradient_accumulation_steps,
        "cur_step": setup.cur_step,
    }
    return {"result": json.dumps(told, default=dict)}


@router.post("/apply_patch")
async def apply_patch(
    model_id: str, body: PatchBody, parts: Parts, owner: Owner
) -> dict[str, JsonValue]:
    """Refuse: no class that a client names changes a base model."""
    await need_base_model(parts, owner, model_id)
    raise InvalidConfigError(
        f"patch_cls={body.patch_cls!r} is not applied: a client changes no base model here."
    )
