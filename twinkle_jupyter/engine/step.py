"""One step of many adapters over one frozen base model.

What an adapter learns does not depend on its company: losses and gradients are sums over its own
rows, and an op that cannot be computed fails alone and leaves no trace in any gradient. Not thread
safe: one thread owns an engine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterBank, AdapterState
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.checkpoint import load_checkpoint, save_checkpoint
from twinkle_jupyter.engine.fused_pass import FusedPass, OpSums
from twinkle_jupyter.engine.injection import inject_adapters
from twinkle_jupyter.engine.op_checks import check_forward_backward
from twinkle_jupyter.engine.op_failures import (
    describe_not_finite,
    describe_out_of_memory,
    is_out_of_memory,
)
from twinkle_jupyter.engine.optimizer import step_adamw
from twinkle_jupyter.errors import ConflictError, RunFailedError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
    SaveCheckpoint,
)

ForwardBackwardOutcome: TypeAlias = ForwardBackwardResult | TwinkleError
OptimStepOutcome: TypeAlias = OptimStepResult | TwinkleError
SaveOutcome: TypeAlias = CheckpointSaved | TwinkleError


class StepEngine:
    """Trains adapters over `base`, whose linear layers it wraps.

    Args:
        base: Used by this engine alone from now on.
        base_model_name: Written into checkpoints.
        token_budget: Tokens of one forward pass, padding included; more are split.
        max_adapters: Slots there are.
    """

    def __init__(
        self,
        base: BaseModel,
        *,
        base_model_name: str,
        token_budget: int = 8192,
        max_adapters: int = 64,
    ) -> None:
        self._base = base
        self._base_model_name = base_model_name
        injection = inject_adapters(base.model)
        self.bank = AdapterBank(injection.sites, base.master_dtype, base.device, max_adapters)
        self._pass = FusedPass(base, injection.router, token_budget)

    @property
    def size_bytes(self) -> int:
        """Bytes of the base model and all adapters."""
        return self._base.size_bytes + self.bank.size_bytes

    def create_adapter(self, adapter_id: AdapterId, spec: AdapterSpec) -> None:
        """Give the adapter a slot and its first weights. Creating it again changes nothing."""
        self.bank.create(adapter_id, spec)

    def read_checkpoint(self, folder: Path) -> AdapterState:
        """Read a checkpoint of this base model; no slot changes."""
        state = load_checkpoint(folder, self.bank.layout, self._base.fingerprint)
        state.parameters = state.parameters.to(self._base.device, self._base.master_dtype)
        state.exp_avg = state.exp_avg.to(state.parameters)
        state.exp_avg_sq = state.exp_avg_sq.to(state.parameters)
        if state.gradient is not None:
            state.gradient = state.gradient.to(state.parameters)
        return state

    def put_adapter(self, adapter_id: AdapterId, state: AdapterState) -> None:
        """Put what `read_checkpoint` returned into the adapter's slot, whatever that held."""
        self.bank.put(adapter_id, state)

    def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Free the slot, if there is one."""
        self.bank.remove(adapter_id)

    def copy_weights(self, adapter_id: AdapterId) -> tuple[AdapterSpec, int, Tensor]:
        """Return spec, step and a copy of the weights, (P,) fp32 in host memory."""
        slot = self.bank.get(adapter_id)
        weights = slot.parameters.detach().to("cpu", torch.float32, copy=True)
        return slot.spec, slot.step, weights

    def save_checkpoints(self, ops: Sequence[SaveCheckpoint]) -> list[SaveOutcome]:
        """Write each op's adapter into its folder; each is there whole when this returns."""
        return [self._save(op) for op in ops]

    def optim_step(self, ops: Sequence[OptimStep]) -> list[OptimStepOutcome]:
        """Take each op's optimizer step; the answers are in the ops' order."""
        return [self._take_optim_step(op) for op in ops]

    def forward_backward(self, ops: Sequence[ForwardBackward]) -> list[ForwardBackwardOutcome]:
        """Add each op's gradient to its adapter's; the answers are in the ops' order."""
        outcomes: dict[int, ForwardBackwardOutcome] = {}
        for index, op in enumerate(ops):
            try:
                self.bank.get(op.adapter_id)
                check_forward_backward(op, self._base)
            except TwinkleError as error:
                outcomes[index] = error
        for forward_only in (True, False):
            indexes = [
                index
                for index, op in enumerate(ops)
                if index not in outcomes and op.forward_only is forward_only
            ]
            fused = self._run_fused([ops[index] for index in indexes], is_training=not forward_only)
            outcomes.update(zip(indexes, fused, strict=True))
        return [outcomes[index] for index in range(len(ops))]

    def _take_optim_step(self, op: OptimStep) -> OptimStepOutcome:
        started = time.monotonic()
        try:
            slot = self.bank.get(op.adapter_id)
            if not slot.has_gradient:
                raise ConflictError(
                    f"Adapter {op.adapter_id!r} has no gradient to take an optimizer step with.",
                    "Each optim_step needs a forward_backward that succeeded since the last one.",
                )
            grad_norm = step_adamw(slot, op.settings)
        except TwinkleError as error:
            return error
        return OptimStepResult(slot.step, grad_norm, time.monotonic() - started)

    def _save(self, op: SaveCheckpoint) -> SaveOutcome:
        folder = Path(op.folder)
        try:
            slot = self.bank.get(op.adapter_id)
            size_bytes = save_checkpoint(
                folder, slot, self._base_model_name, self._base.fingerprint
            )
        except TwinkleError as error:
            return error
        except (OSError, SafetensorError) as error:
            return RunFailedError(
                f"Checkpoint {folder.name!r} could not be written: {error}.",
                "Training is where it was; free space or choose another folder.",
            )
        return CheckpointSaved(step=slot.step, size_bytes=size_bytes)

    def _run_fused(
        self, ops: Sequence[ForwardBackward], *, is_training: bool
    ) -> list[ForwardBackwardOutcome]:
        if not ops:
            return []
        started = time.monotonic()
        slots = {op.adapter_id: self.bank.get(op.adapter_id) for op in ops}
        before = {key: slot.copy_gradient() for key, slot in slots.items()} if is_training else {}
        is_done = False
        failure: TwinkleError | None = None
        sums: list[OpSums] = []
        try:
            sums = self._pass.compute(ops, slots, is_training=is_training)
            is_done = all(item.is_finite for item in sums) and all(
                bool(torch.isfinite(slots[key].gradient.sum())) for key in before
            )
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            failure = describe_out_of_memory(ops[0])
        finally:
            if not is_done:
                for key, gradient in before.items():
                    slots[key].set_gradient(gradient)
        if not is_done and len(ops) > 1:
            # One row's nan reaches the other rows' gradients through the ownership mask (0 x nan).
            return [out for op in ops for out in self._run_fused([op], is_training=is_training)]
        if not is_done:
            return [failure or describe_not_finite(ops[0])]
        for key in before:
            slots[key].has_gradient = True
        seconds = time.monotonic() - started
        return [_answer(op, own, seconds) for op, own in zip(ops, sums, strict=True)]


def _answer(op: ForwardBackward, sums: OpSums, seconds: float) -> ForwardBackwardResult:
    return ForwardBackwardResult(
        loss_sum=sums.loss,
        logprobs=tuple(map(tuple, sums.logprobs)),
        num_tokens=sum(example.num_tokens for example in op.examples),
        num_supervised=sum(example.num_supervised for example in op.examples),
        seconds=seconds,
    )
