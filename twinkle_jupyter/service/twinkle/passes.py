"""Forward and backward passes: at once, or one after the other over the rows that were kept.

Rows are read and counted before their turn comes: what waits for it is what is queued.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.errors import ConflictError, InvalidDataError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import ForwardBackward, ForwardBackwardResult
from twinkle_jupyter.service.twinkle.base_scores import score_rows
from twinkle_jupyter.service.twinkle.class_names import refuse_others
from twinkle_jupyter.service.twinkle.conversations import TemplateUse
from twinkle_jupyter.service.twinkle.counted import admit
from twinkle_jupyter.service.twinkle.inputs import TokenRow, is_encoded, list_rows, read_feature
from twinkle_jupyter.service.twinkle.losses import OF_A_PASS, LossPlan, plan_loss, weigh
from twinkle_jupyter.service.twinkle.metrics import add_to_sums
from twinkle_jupyter.service.twinkle.state import TwinkleState
from twinkle_jupyter.service.twinkle.templates import served, template_of
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.training_setups import LastPassRow, TrainingSetupRow

Arguments = Mapping[str, JsonValue]
Output = dict[str, JsonValue]
_STEPS = "gradient_accumulation_steps"


async def forward_backward(
    state: TwinkleState, row: ClientAdapterRow, inputs: JsonValue, given: Arguments
) -> Output:
    """Add the gradient of these rows' loss; return loss and log-probabilities."""
    rows = await read_rows(state, row, inputs)
    async with await admit(state.parts.quotas, row.owner, rows), state.turns.of(row):
        setup = await state.setups.get(row)
        plan = plan_loss(setup.loss, setup.loss_settings, rows, given)
        answer = await _run(state, row, plan, forward_only=not plan.has_gradient)
        loss = await _count(state, row, plan, answer, given)
        return {**_output(rows, answer.logprobs), "loss": loss, "num_tokens": _tokens(plan)}


async def forward(
    state: TwinkleState,
    row: ClientAdapterRow,
    inputs: JsonValue,
    given: Arguments,
    *,
    is_training: bool,
) -> Output:
    """Return the log-probabilities of what the rows have as labels; keep the rows for a loss."""
    allowed = {**OF_A_PASS, "disable_lora": False if is_training else (True, False)}
    refuse_others(given, allowed, "A forward pass")
    rows = await read_rows(state, row, inputs)
    async with await admit(state.parts.quotas, row.owner, rows), state.turns.of(row):
        if given.get("disable_lora"):
            sampler = (await served(state.parts, row.base_model)).sampler
            return _output(rows, await score_rows(sampler, row.owner, rows))
        plan = LossPlan(weigh(rows, [1.0] * len(rows)))
        answer = await _run(state, row, plan, forward_only=True)
        kept = LastPassRow(row.owner, row.adapter_id, inputs, is_training)
        await state.setups.keep_pass(kept)
        return _output(rows, answer.logprobs)


async def calculate_loss(state: TwinkleState, row: ClientAdapterRow, given: Arguments) -> float:
    """Return the loss of the last forward pass."""
    async with state.turns.of(row):
        kept = await _last_pass(state, row)
        setup = await state.setups.get(row)
        rows = await read_rows(state, row, kept.inputs)
        plan = plan_loss(setup.loss, setup.loss_settings, rows, given)
        async with await admit(state.parts.quotas, row.owner, rows):
            answer = await _run(state, row, plan, forward_only=True)
        loss = _loss_of(plan, answer)
        await state.setups.keep_pass(kept.changed(loss_arguments=dict(given), has_loss=True))
        name = "train_sums" if kept.is_training else "eval_sums"
        details = answer.metrics
        await state.setups.update(
            row, lambda old: old.changed(**{name: add_to_sums(getattr(old, name), loss, details)})
        )
        return loss


async def backward(state: TwinkleState, row: ClientAdapterRow, given: Arguments) -> None:
    """Add the gradient of the loss that was calculated last."""
    refuse_others(given, {_STEPS: ...}, "A backward pass")
    async with state.turns.of(row):
        kept = await _last_pass(state, row)
        if not (kept.has_loss and kept.is_training):
            raise ConflictError(
                f"Adapter {row.adapter_id!r} has no loss to take the gradient of.",
                "Call forward and calculate_loss first.",
            )
        setup = await state.setups.get(row)
        rows = await read_rows(state, row, kept.inputs)
        arguments = cast("Arguments", kept.loss_arguments)
        plan = plan_loss(setup.loss, setup.loss_settings, rows, arguments)
        async with await admit(state.parts.quotas, row.owner, rows):
            answer = await _run(state, row, plan, forward_only=not plan.has_gradient)
        await _count(state, row, plan, answer, given, is_told=True)
        await state.setups.forget_pass(row)


def _read_features(found: Sequence[Mapping[str, JsonValue]]) -> list[TokenRow]:
    return [part for i, one in enumerate(found) for part in read_feature(one, f"inputs[{i}]")]


async def read_rows(state: TwinkleState, row: ClientAdapterRow, inputs: object) -> list[TokenRow]:
    """Return the rows of a pass, conversations encoded as the adapter's template says.

    Raises:
        InvalidDataError: There are none, or they cannot be read.
    """
    found = list_rows(cast("JsonValue", inputs))
    if all(map(is_encoded, found)):
        rows = await asyncio.to_thread(_read_features, found)
    else:
        setup = await state.setups.get(row)
        use = TemplateUse.read(setup.template_settings)
        model = setup.template_settings.get("model_id")
        template = await template_of(state.parts, row.base_model, cast("str | None", model))

        def encode() -> list[TokenRow]:
            return [
                part
                for i, one in enumerate(found)
                for part in (
                    read_feature(one, f"inputs[{i}]")
                    if is_encoded(one)
                    else use.encode(template, one, f"inputs[{i}]")
                )
            ]

        rows = await asyncio.to_thread(encode)
    if not rows:
        raise InvalidDataError("Nothing is left of inputs: every row was longer than max_length.")
    return rows


async def _run(
    state: TwinkleState, row: ClientAdapterRow, plan: LossPlan, *, forward_only: bool
) -> ForwardBackwardResult:
    answer = await state.turns.run(
        row,
        lambda number: ForwardBackward(
            AdapterId(row.adapter_id),
            number,
            plan.examples,
            plan.loss,
            plan.settings,
            forward_only=forward_only,
        ),
    )
    return cast("ForwardBackwardResult", answer)


async def _count(
    state: TwinkleState,
    row: ClientAdapterRow,
    plan: LossPlan,
    answer: ForwardBackwardResult,
    given: Arguments,
    *,
    is_told: bool = False,
) -> float:
    """Write down that a gradient waits; return the loss."""
    loss = _loss_of(plan, answer)

    def change(setup: TrainingSetupRow) -> TrainingSetupRow:
        steps = given.get(_STEPS, setup.gradient_accumulation_steps)
        if type(steps) is not int or steps < 1:
            raise InvalidDataError(f"{_STEPS}={steps!r} is not a whole number of at least 1.")
        changed = setup.changed(cur_step=setup.cur_step + 1, gradient_accumulation_steps=steps)
        if plan.has_gradient:
            changed = changed.changed(
                num_passes=setup.num_passes + 1,
                num_units=setup.num_units + plan.num_units,
                denominator=setup.denominator + plan.denominator,
            )
        if is_told:
            return changed
        return changed.changed(train_sums=add_to_sums(setup.train_sums, loss, answer.metrics))

    await state.setups.update(row, change)
    return loss


async def _last_pass(state: TwinkleState, row: ClientAdapterRow) -> LastPassRow:
    kept = await state.setups.last_pass(row)
    if kept is None:
        raise ConflictError(
            f"Adapter {row.adapter_id!r} has no forward pass to go on from.", "Call forward first."
        )
    return kept


def _loss_of(plan: LossPlan, answer: ForwardBackwardResult) -> float:
    return plan.value if plan.value is not None else answer.loss_sum / plan.num_units


def _tokens(plan: LossPlan) -> int:
    """What the loss is still to be divided by; 0 for one that is a mean."""
    return int(plan.denominator) if plan.is_sum else 0


def _output(rows: Sequence[TokenRow], logprobs: Sequence[tuple[float, ...]]) -> Output:
    """Return (B, S) log-probabilities, 0 where there is no label and behind a row's end."""
    longest = max(len(row.tokens) for row in rows)
    padded: list[JsonValue] = [[*one, *[0.0] * (longest - len(one))] for one in logprobs]
    return {"logits": None, "loss": None, "logps": padded, "num_tokens": 0}
