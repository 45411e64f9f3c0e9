"""What a client trains with, taken in: each op under the sequence id that the client gave it."""

from __future__ import annotations

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import (
    AdamWSettings,
    ForwardBackward,
    Op,
    OptimStep,
    Refusal,
)
from twinkle_jupyter.service.clients.handing_over import hand_over
from twinkle_jupyter.service.tinker.future_names import FutureName
from twinkle_jupyter.service.tinker.state import TinkerState
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.wire.tinker_bodies import OptimStepBody
from twinkle_jupyter.wire.tinker_codec import LossRequest


async def accept(state: TinkerState, row: ClientAdapterRow, op: Op) -> None:
    """Hand an op to the trainer, under the client's sequence id; return once it cannot be lost.

    Raises:
        InvalidDataError: The client's sequence id is before the newest load of weights.
        ServiceUnavailableError: There is no trainer now; the client sends it again.
        ConflictError: Another op was sent under that id.
        QuotaExceededError: The user has as much queued, or had as much, as they may.
    """
    adapters = state.adapters
    admission = await adapters.queue.admit(row.owner, op)
    try:
        made = await hand_over(adapters, row, op)
    except BaseException:
        await admission.finish()
        raise
    trainer = await adapters.trainer_of(made)
    state.coming.ask(made, op.sequence_id, trainer)
    if adapters.queue.counts(row.owner, op):
        adapters.queue.watch(admission, trainer, op, made.id_offset)
    await adapters.used(made)


async def accept_loss(
    state: TinkerState, row: ClientAdapterRow, request: LossRequest
) -> FutureName:
    """Take in a forward pass, with or without a backward one; or that it was refused."""
    adapter_id, number = AdapterId(row.adapter_id), request.seq_id
    op: Op
    problem = request.problem or state.adapters.queue.problem_of(row.owner, request.examples)
    if problem:
        op = Refusal(adapter_id, number, problem)
    else:
        op = ForwardBackward(
            adapter_id,
            number,
            request.examples,
            request.loss,
            request.loss_settings,
            forward_only=request.forward_only,
            scores_all=True,
        )
    await accept(state, row, op)
    return FutureName("forward_backward", number, row.adapter_id, str(request.num_targets))


async def accept_optim_step(
    state: TinkerState, row: ClientAdapterRow, body: OptimStepBody
) -> FutureName:
    """Take in an optimizer step, with whatever gradient there is."""
    adapter_id, adam = AdapterId(row.adapter_id), body.adam_params
    op: Op
    if adam is None:
        kind = body.optimizer_params.type if body.optimizer_params is not None else None
        problem = f"optimizer_params.type={kind!r} is not there; send adam_params."
        op = Refusal(adapter_id, body.seq_id, problem)
    else:
        settings = AdamWSettings(**adam.model_dump())
        op = OptimStep(adapter_id, body.seq_id, settings, needs_gradient=False)
    await accept(state, row, op)
    rate = adam.learning_rate if adam is not None else 0.0
    return FutureName("optim_step", body.seq_id, row.adapter_id, rate.hex())
