"""Optimizer steps: when one is due, with what the gradient is scaled, and at which rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import AdamWSettings, OptimStep, OptimStepResult, StepEffect
from twinkle_jupyter.service.twinkle.class_names import find_class, read_settings, refuse_others
from twinkle_jupyter.service.twinkle.metrics import current_rate
from twinkle_jupyter.service.twinkle.state import TwinkleState
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.training_setups import TrainingSetupRow
from twinkle_jupyter.wire.twinkle_bodies import ClipBody

Arguments = Mapping[str, JsonValue]
_STEPS = "gradient_accumulation_steps"
_ADAM: Mapping[str, float | None] = {"lr": 1e-5, "eps": 1e-8}
#: By name: the decay that an optimizer has unless told otherwise.
OPTIMIZERS: Mapping[str, float] = {"AdamW": 0.01, "Adam": 0.0}


def read_optimizer(name: str, given: Arguments) -> dict[str, JSON]:
    """Return the fields of a setup that say which optimizer it is.

    Raises:
        InvalidConfigError: There is no such optimizer, or not with these settings.
    """
    decay = find_class(OPTIMIZERS, name, "optimizer_cls")
    flags = {"amsgrad": False, "maximize": False, "foreach": ..., "fused": ..., "capturable": ...}
    switches = {key: value for key, value in given.items() if key in flags}
    refuse_others(switches, flags, name)
    rest = {key: value for key, value in given.items() if key not in (*flags, "betas")}
    numbers = read_settings(rest, {**_ADAM, "weight_decay": decay}, name)
    if name == "Adam" and numbers["weight_decay"]:
        raise InvalidConfigError(
            "Adam with weight_decay adds it to the gradient, which is not there.",
            "AdamW has a decay.",
        )
    beta1, beta2 = _betas(given.get("betas", [0.9, 0.999]))
    return {
        "optimizer": name,
        "learning_rate": numbers["lr"],
        "beta1": beta1,
        "beta2": beta2,
        "eps": numbers["eps"],
        "weight_decay": numbers["weight_decay"],
    }


async def clip_grad_norm(state: TwinkleState, row: ClientAdapterRow, body: ClipBody) -> float:
    """Return the gradient's norm, and clip it at the step that follows."""
    async with state.turns.of(row):
        setup = await _accumulated(state, row, body)
        if setup is None or not setup.num_passes:
            return 0.0
        scale = setup.unit_scale / max(setup.denominator, 1.0)
        settings = AdamWSettings(learning_rate=0.0, gradient_scale=scale)
        norm = await _run(state, row, settings, "measure")
        clip: dict[str, JSON] = {"max_norm": body.max_grad_norm, "scale": scale}
        await state.setups.update(
            row, lambda old: old.without_gradient().changed(clip=clip, grad_norm=norm)
        )
        return norm


async def step(state: TwinkleState, row: ClientAdapterRow, given: Arguments) -> None:
    """Take an optimizer step, as it was clipped before; without a gradient nothing happens."""
    async with state.turns.of(row):
        setup = await _due(state, row, given)
        if setup is None or not setup.has_gradient:
            return
        clip = setup.clip or {"max_norm": 0.0, "scale": setup.unit_scale}
        await _take(state, row, setup, given, clip)


async def clip_grad_and_step(state: TwinkleState, row: ClientAdapterRow, body: ClipBody) -> None:
    """Clip, step, and move the schedule on."""
    async with state.turns.of(row):
        setup = await _accumulated(state, row, body)
        if setup is None:
            return
        if setup.has_gradient:
            scale = setup.unit_scale / max(setup.denominator, 1.0)
            clip = {"max_norm": body.max_grad_norm, "scale": setup.clip.get("scale", scale)}
            await _take(state, row, setup, body.arguments, clip)
        await state.setups.update(row, lambda old: old.changed(schedule_step=old.schedule_step + 1))


async def zero_grad(state: TwinkleState, row: ClientAdapterRow, given: Arguments) -> None:
    """Throw the gradient away that no step was taken with."""
    refuse_others(given, {_STEPS: ..., "set_to_none": ...}, "zero_grad")
    async with state.turns.of(row):
        setup = await _due(state, row, given)
        if setup is None or not setup.has_gradient:
            return
        await _run(state, row, AdamWSettings(learning_rate=0.0), "discard")
        await state.setups.update(row, TrainingSetupRow.without_gradient)


async def lr_step(state: TwinkleState, row: ClientAdapterRow, given: Arguments) -> None:
    """Move the schedule on by one step."""
    refuse_others(given, {_STEPS: ...}, "lr_step")
    async with state.turns.of(row):
        if await _due(state, row, given) is not None:
            await state.setups.update(
                row, lambda old: old.changed(schedule_step=old.schedule_step + 1)
            )


async def _accumulated(
    state: TwinkleState, row: ClientAdapterRow, body: ClipBody
) -> TrainingSetupRow | None:
    if body.norm_type != 2:
        raise InvalidConfigError(f"norm_type={body.norm_type:g} is not there.", "There is 2.")
    return await _due(state, row, body.arguments)


async def _due(
    state: TwinkleState, row: ClientAdapterRow, given: Arguments
) -> TrainingSetupRow | None:
    """Return the setup where a step is due: after every so many backward passes; else None."""
    setup = await state.setups.get(row)
    steps = given.get(_STEPS, setup.gradient_accumulation_steps)
    if type(steps) is not int or steps < 1:
        raise InvalidConfigError(f"{_STEPS}={steps!r} is not a whole number of at least 1.")
    if steps != setup.gradient_accumulation_steps:
        setup = await state.setups.change(row, gradient_accumulation_steps=steps)
    return setup if setup.cur_step % steps == 0 else None


async def _take(
    state: TwinkleState,
    row: ClientAdapterRow,
    setup: TrainingSetupRow,
    given: Arguments,
    clip: Mapping[str, float],
) -> None:
    settings = AdamWSettings(
        current_rate(setup),
        setup.beta1,
        setup.beta2,
        setup.eps,
        setup.weight_decay,
        grad_clip_norm=clip["max_norm"],
        gradient_scale=clip["scale"],
    )
    refuse_others(given, {_STEPS: ..., "optim_params": ...}, "An optimizer step")
    if params := given.get("optim_params"):
        settings = _for_this_step(settings, params)
    norm = await _run(state, row, settings, "step")
    await state.setups.update(row, lambda old: old.without_gradient().changed(grad_norm=norm))


def _for_this_step(settings: AdamWSettings, params: JsonValue) -> AdamWSettings:
    """Apply `optim_params`, which hold until the schedule's next step."""
    if not isinstance(params, dict):
        raise InvalidConfigError(f"optim_params={params!r} is not an object.")
    given = {name: value for name, value in params.items() if value is not None}
    betas = given.pop("betas", [settings.beta1, settings.beta2])
    known = {"lr": None, "weight_decay": settings.weight_decay, "eps": settings.eps}
    numbers = read_settings(given, known, "optim_params")
    beta1, beta2 = _betas(betas)
    return replace(
        settings,
        learning_rate=numbers["lr"],
        weight_decay=numbers["weight_decay"],
        eps=numbers["eps"],
        beta1=beta1,
        beta2=beta2,
    )


async def _run(
    state: TwinkleState, row: ClientAdapterRow, settings: AdamWSettings, effect: StepEffect
) -> float:
    answer = await state.turns.run(
        row,
        lambda number: OptimStep(
            AdapterId(row.adapter_id), number, settings, needs_gradient=False, effect=effect
        ),
    )
    return cast("OptimStepResult", answer).grad_norm


def _betas(value: JsonValue) -> Sequence[float]:
    if not (isinstance(value, list) and [type(beta) for beta in value] == [float, float]):
        raise InvalidConfigError(f"betas={value!r} is not a pair of numbers.")
    return [float(cast("float", beta)) for beta in value]
