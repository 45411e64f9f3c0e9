"""One step of many adapters over one frozen base model.

What an adapter learns does not depend on its company: losses and gradients are sums over its own
rows, and an op that cannot be computed fails alone and leaves no trace in any gradient. Not thread
safe: one thread owns an engine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterBank, AdapterSlot, AdapterState
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.checkpoint import load_checkpoint, save_checkpoint
from twinkle_jupyter.engine.fused_pass import FusedPass, PassSums
from twinkle_jupyter.engine.op_checks import check_forward_backward
from twinkle_jupyter.engine.op_failures import (
    describe_not_finite,
    describe_out_of_memory,
    is_out_of_memory,
)
from twinkle_jupyter.engine.optimizer import (
    compute_norm,
    discard_gradient,
    measure_gradient,
    step_adamw,
)
from twinkle_jupyter.engine.partial_ops import ComputedRows, PartialOps
from twinkle_jupyter.engine.residency import AdapterLimits, AdapterResidency
from twinkle_jupyter.engine.smaller_passes import halve_budget, release_memory
from twinkle_jupyter.errors import ConflictError, RunFailedError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.op_part import OpPart, PartDone, whole
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
    StepEffect,
)

ForwardBackwardOutcome: TypeAlias = ForwardBackwardResult | TwinkleError
OptimStepOutcome: TypeAlias = OptimStepResult | TwinkleError
PartOutcome: TypeAlias = ForwardBackwardOutcome | PartDone
_Work = TypeVar("_Work", OpPart, OptimStep)
R = TypeVar("R")

_EFFECTS: Mapping[StepEffect, Callable[[AdapterSlot, AdamWSettings], float]] = {
    "step": step_adamw,
    "measure": measure_gradient,
    "discard": discard_gradient,
}


class StepEngine:
    """Trains adapters over `base`, whose linear layers it wraps.

    Args:
        base: Used by this engine alone from now on.
        base_model_name: Written into checkpoints.
        token_budget: Tokens of one forward pass at most; more are split. It shrinks, and stays
            so, where a pass does not fit into memory.
        limits: How many adapters there may be, and how many in slots and in memory.
        gradient_checkpointing: Compute activations twice instead of keeping them.
    """

    def __init__(
        self,
        base: BaseModel,
        *,
        base_model_name: str,
        token_budget: int = 8192,
        limits: AdapterLimits | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        self._base = base
        self._base_model_name = base_model_name
        limits = limits or AdapterLimits()
        self._pass = FusedPass(base, token_budget, checkpoints=gradient_checkpointing)
        self.bank = AdapterBank(self._pass.sites, base.master_dtype, base.device, limits.max_active)
        self.adapters = AdapterResidency(self.bank, limits)
        self.partial_ops = PartialOps()

    @property
    def token_budget(self) -> int:
        """Tokens of one forward pass at most, as it is now."""
        return self._pass.token_budget

    @token_budget.setter
    def token_budget(self, value: int) -> None:
        self._pass.token_budget = value

    @property
    def size_bytes(self) -> int:
        """Bytes of the base model and of all adapters in memory."""
        return self._base.size_bytes + self.adapters.size_bytes + self.partial_ops.size_bytes

    def create_adapter(self, adapter_id: AdapterId, spec: AdapterSpec) -> bool:
        """Give the adapter a slot and its first weights, unless it is there; tell if it was not."""
        is_new = self.adapters.create(adapter_id, spec)
        if is_new:
            self.partial_ops.forget([adapter_id])
        return is_new

    def read_checkpoint(self, folder: Path) -> AdapterState:
        """Read a checkpoint of this base model; no slot changes."""
        return load_checkpoint(folder, self.bank.layout, self._base.fingerprint)

    def put_adapter(self, adapter_id: AdapterId, state: AdapterState) -> None:
        """Put what `read_checkpoint` returned into a slot, whatever the adapter was before."""
        self.partial_ops.forget([adapter_id])
        self.adapters.put(adapter_id, state)

    def remove_adapter(self, adapter_id: AdapterId) -> None:
        """Forget the adapter, wherever it is."""
        self.partial_ops.forget([adapter_id])
        self.adapters.remove(adapter_id)

    def copy_weights(self, adapter_id: AdapterId) -> tuple[AdapterSpec, int, Tensor]:
        """Return spec, step and a copy of the weights, (P,) fp32 in host memory."""
        state = self.adapters.peek(adapter_id)
        weights = state.parameters.detach().to("cpu", torch.float32, copy=True)
        return state.spec, state.step, weights

    def copy_adapter(self, adapter_id: AdapterId, *, weights_only: bool = False) -> AdapterState:
        """Copy everything that the adapter is; raises NotFoundError where there is none."""
        state = self.adapters.peek(adapter_id)
        return (state.without_optimizer() if weights_only else state).map_tensors(torch.clone)

    def write_checkpoint(
        self, folder: Path, state: AdapterState, more: Mapping[str, str] | None = None
    ) -> CheckpointSaved:
        """Write what `copy_adapter` returned, whole or not at all; may run in another thread.

        Raises:
            RunFailedError: The disk is full, or cannot be written to.
        """
        layout = self.bank.layout(state.spec)
        names = self._base_model_name, self._base.fingerprint
        try:
            size_bytes = save_checkpoint(folder, state, layout, *names, more)
        except (OSError, SafetensorError) as error:
            raise RunFailedError(
                f"Checkpoint {folder.name!r} could not be written: {error}.",
                "Training is where it was; free space or choose another folder.",
            ) from error
        return CheckpointSaved(state.step, size_bytes)

    def optim_step(self, ops: Sequence[OptimStep]) -> list[OptimStepOutcome]:
        """Take each op's optimizer step; the answers are in the ops' order."""
        return self._by_turns(ops, lambda turn: [self._take_optim_step(op) for op in turn])

    def forward_backward(self, ops: Sequence[ForwardBackward]) -> list[ForwardBackwardOutcome]:
        """Add each op's gradient to its adapter's; the answers are in the ops' order."""
        outcomes = self.forward_backward_parts([whole(op) for op in ops])
        return [outcome for outcome in outcomes if not isinstance(outcome, PartDone)]

    def forward_backward_parts(self, parts: Sequence[OpPart]) -> list[PartOutcome]:
        """Compute parts of ops, no two of an adapter; the last one adds its op's gradient."""
        self.partial_ops.forget(part.adapter_id for part in parts if part.start == 0)
        going_on: set[AdapterId] = set()
        try:
            outcomes = self._compute_parts(parts)
            pairs = zip(parts, outcomes, strict=True)
            going_on.update(part.adapter_id for part, one in pairs if isinstance(one, PartDone))
        finally:
            self.partial_ops.forget({part.adapter_id for part in parts} - going_on)
        return outcomes

    def _compute_parts(self, parts: Sequence[OpPart]) -> list[PartOutcome]:
        outcomes: dict[int, PartOutcome] = {}
        for index, part in enumerate(parts):
            try:
                self.adapters.check_known(part.adapter_id)
                self.partial_ops.check(part)
                if part.start == 0:
                    check_forward_backward(part.op, self._base)
            except TwinkleError as error:
                outcomes[index] = error
        for forward_only in (True, False):
            indexes = [
                index
                for index, part in enumerate(parts)
                if index not in outcomes and part.op.forward_only is forward_only
            ]
            computed = self._by_turns([parts[index] for index in indexes], self._run_fused)
            outcomes.update(zip(indexes, computed, strict=True))
        return [outcomes[index] for index in range(len(parts))]

    def _by_turns(
        self, ops: Sequence[_Work], run: Callable[[Sequence[_Work]], list[R]]
    ) -> list[R | TwinkleError]:
        """Run as many ops at once as there are slots for their adapters, then the next ones."""
        by_adapter: dict[AdapterId, list[int]] = {}
        for index, op in enumerate(ops):
            by_adapter.setdefault(op.adapter_id, []).append(index)
        outcomes: dict[int, R | TwinkleError] = {}
        for together in self.adapters.turns(by_adapter):
            for adapter_id, error in self.adapters.bring_in(together).items():
                outcomes.update((index, error) for index in by_adapter[adapter_id])
            indexes = sorted(
                index for key in together for index in by_adapter[key] if index not in outcomes
            )
            computed = run([ops[index] for index in indexes])
            outcomes.update(zip(indexes, computed, strict=True))
        return [outcomes[index] for index in range(len(ops))]

    def _take_optim_step(self, op: OptimStep) -> OptimStepOutcome:
        started = time.monotonic()
        try:
            slot = self.bank.get(op.adapter_id)
            if op.needs_gradient and not slot.has_gradient:
                raise ConflictError(
                    f"Adapter {op.adapter_id!r} has no gradient to take an optimizer step with.",
                    "Each optim_step needs a forward_backward that succeeded since the last one.",
                )
            grad_norm = _EFFECTS[op.effect](slot, op.settings)
        except TwinkleError as error:
            return error
        return OptimStepResult(slot.step, grad_norm, time.monotonic() - started)

    def _run_fused(self, parts: Sequence[OpPart]) -> list[PartOutcome]:
        """Compute parts, all with or all without gradient, whose adapters are in slots.

        What fails leaves all gradients as they were. What does not fit into memory is computed
        again in smaller passes; what is not finite, one op at a time.
        """
        if not parts:
            return []
        started = time.monotonic()
        ops = [part.as_op for part in parts]
        computed = self._attempt(parts)
        num_passes = 0
        while computed is None and (smaller := halve_budget(ops, self.token_budget)) is not None:
            release_memory()
            self._pass.token_budget = smaller
            num_passes = self._pass.count_passes(ops)
            computed = self._attempt(parts)
        if computed is None or not computed.ops:
            if len(parts) > 1:
                # Who it is is found one by one; the others' gradients are as if they were alone.
                return [outcome for part in parts for outcome in self._run_fused([part])]
            describe = describe_out_of_memory if computed is None else describe_not_finite
            return [describe(ops[0])]
        seconds = time.monotonic() - started
        times = (seconds, computed.forward_seconds, computed.backward_seconds)
        return [
            self.partial_ops.end_part(part, ComputedRows(sums, *times, num_passes))
            for part, sums in zip(parts, computed.ops, strict=True)
        ]

    def _attempt(self, parts: Sequence[OpPart]) -> PassSums | None:
        """Return sums, none where a number is not finite, or None where memory has run out.

        All gradients are as they were unless there are sums; those of ops that are not whole yet
        are so in any case, and the new one is held beside.
        """
        ops = [part.as_op for part in parts]
        slots = {op.adapter_id: self.bank.get(op.adapter_id) for op in ops}
        before: dict[AdapterId, Tensor | None] = {}
        norms: dict[AdapterId, Tensor] = {}
        computed: PassSums | None = PassSums([])
        is_done = False
        is_training = not ops[0].forward_only
        unfinished = {part.adapter_id for part in parts if is_training and not part.is_last}
        try:
            if is_training:
                before.update((key, slot.copy_gradient()) for key, slot in slots.items())
                self.partial_ops.put_back(slots)
            sums = self._pass.compute(ops, slots, is_training=is_training)
            # The optimizer step needs the norm, and it is finite only if every entry is.
            norms = {key: compute_norm(slots[key].gradient) for key in before}
            if all(item.is_finite for item in sums.ops) and all(
                math.isfinite(float(norm)) for norm in norms.values()
            ):
                self.partial_ops.hold({key: slots[key].gradient.clone() for key in unfinished})
                computed, is_done = sums, True
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            computed = None
        finally:
            for key in unfinished if is_done else before:
                slots[key].set_gradient(before[key])
        for key in before.keys() - unfinished if is_done else ():
            slots[key].has_gradient, slots[key].gradient_norm = True, norms[key]
        return computed
