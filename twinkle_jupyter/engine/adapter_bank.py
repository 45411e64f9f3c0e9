"""Slots: every active adapter's weights, gradient and optimizer state.

Adapters of one shape share a stack (`adapter_stack`); a slot is one row of it. A backward pass adds
straight into the row's gradient and an optimizer step is one pass over the row. No slot knows of
another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.adapter_stack import AdapterStack
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.engine.lora_linear import Factors
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError, QuotaExceededError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.scheduling.request import AdapterSpec


@dataclass(slots=True, eq=False)
class AdapterState:
    """What an adapter is, apart from any slot: what a checkpoint holds."""

    spec: AdapterSpec
    #: (P,) in `AdapterLayout`'s order, as are the next three.
    parameters: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor
    #: (P,) summed gradient that no optimizer step has used yet; None when there is none.
    gradient: Tensor | None
    #: Optimizer steps taken.
    step: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the tensors that there are."""
        tensors = (self.parameters, self.exp_avg, self.exp_avg_sq, self.gradient)
        return sum(tensor.nbytes for tensor in tensors if tensor is not None)

    def with_fresh_optimizer(self) -> AdapterState:
        """Return the same weights as no step has seen them yet."""
        moments = (torch.zeros_like(self.exp_avg), torch.zeros_like(self.exp_avg_sq))
        return AdapterState(self.spec, self.parameters, *moments, gradient=None, step=0)

    def without_optimizer(self) -> AdapterState:
        """Return the weights alone, (P,), with moments of no numbers."""
        none = self.parameters.new_empty(0)
        return AdapterState(self.spec, self.parameters, none, none, gradient=None, step=self.step)

    @property
    def has_optimizer(self) -> bool:
        """Whether training can go on from it."""
        return bool(self.exp_avg.numel())

    def map_tensors(self, function: Callable[[Tensor], Tensor]) -> AdapterState:
        """Return the same adapter with `function` of each tensor."""
        return replace(
            self,
            parameters=function(self.parameters),
            exp_avg=function(self.exp_avg),
            exp_avg_sq=function(self.exp_avg_sq),
            gradient=None if self.gradient is None else function(self.gradient),
        )


@dataclass(slots=True, eq=False)
class AdapterSlot:
    """One adapter, ready to train: a row of its stack. Good until the bank changes."""

    adapter_id: AdapterId
    spec: AdapterSpec
    stack: AdapterStack
    row: int
    step: int
    has_gradient: bool
    #: Of the gradient as it is now, if somebody has computed it.
    gradient_norm: Tensor | None = None

    @property
    def layout(self) -> AdapterLayout:
        """Where the matrices are in the flat tensors."""
        return self.stack.layout

    @property
    def parameters(self) -> Tensor:
        """(P,) the weights themselves."""
        return self.stack.parameters[self.row]

    @property
    def factors(self) -> tuple[Factors, ...]:
        """The matrices themselves, as `AdapterLayout.split` orders them."""
        return self.layout.split(self.parameters)

    @property
    def gradient(self) -> Tensor:
        """(P,) the summed gradient; zero when `has_gradient` is false."""
        return self.stack.gradient[self.row]

    @property
    def exp_avg(self) -> Tensor:
        """(P,) AdamW's first moment."""
        return self.stack.exp_avg[self.row]

    @property
    def exp_avg_sq(self) -> Tensor:
        """(P,) AdamW's second moment."""
        return self.stack.exp_avg_sq[self.row]

    @property
    def version(self) -> AdapterVersion:
        """Optimizer steps that the weights have seen."""
        return AdapterVersion(self.step)

    def copy_gradient(self) -> Tensor | None:
        """Copy the accumulated gradient, (P,); None when there is none."""
        return self.gradient.clone() if self.has_gradient else None

    def set_gradient(self, gradient: Tensor | None) -> None:
        """Put back what `copy_gradient` returned."""
        if gradient is None:
            self.gradient.zero_()
        else:
            self.gradient.copy_(gradient)
        self.has_gradient = gradient is not None
        self.gradient_norm = None

    def state(self) -> AdapterState:
        """Return the slot's content; the tensors are the slot's own."""
        gradient = self.gradient if self.has_gradient else None
        return AdapterState(
            self.spec, self.parameters, self.exp_avg, self.exp_avg_sq, gradient, self.step
        )


class AdapterBank:
    """All slots of one base model.

    Args:
        sites: The wrapped layers of the base model.
        dtype: Of weights, gradients and optimizer state.
        device: Where they are kept.
        max_adapters: Slots there are.
    """

    def __init__(
        self,
        sites: tuple[LinearSite, ...],
        dtype: torch.dtype,
        device: torch.device,
        max_adapters: int = 64,
    ) -> None:
        self._sites = sites
        self._dtype = dtype
        self._device = device
        self._max_adapters = max_adapters
        self._stacks: dict[AdapterLayout, AdapterStack] = {}
        self._slots: dict[AdapterId, AdapterSlot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, adapter_id: AdapterId) -> bool:
        return adapter_id in self._slots

    @property
    def is_full(self) -> bool:
        """Whether one more adapter would be refused."""
        return len(self._slots) >= self._max_adapters

    @property
    def size_bytes(self) -> int:
        """Bytes of all slots; may be asked for on any thread."""
        return sum(stack.size_bytes for stack in list(self._stacks.values()))

    def rows(self) -> list[AdapterId]:
        """Return who is in a slot, stack by stack in the order of the rows."""
        return [adapter_id for stack in self._stacks.values() for adapter_id in stack.adapter_ids]

    def layout(self, spec: AdapterSpec) -> AdapterLayout:
        """Return the layout of an adapter of this shape; raises as `AdapterLayout.of` does."""
        return AdapterLayout.of(self._sites, spec)

    def get(self, adapter_id: AdapterId) -> AdapterSlot:
        """Return the adapter's slot.

        Raises:
            NotFoundError: The adapter is in none.
        """
        slot = self._slots.get(adapter_id)
        if slot is None:
            raise NotFoundError(f"Adapter {adapter_id!r} is not on this trainer.")
        return slot

    def create(self, adapter_id: AdapterId, spec: AdapterSpec) -> AdapterSlot:
        """Fill a slot with the first weights; the slot that is there already stays as it is.

        A is drawn as `nn.Linear` draws its weights (He et al. 2015, arXiv:1502.01852, with
        a = sqrt(5)) from the spec's seed alone; B is zero, so that the adapter adds nothing yet.
        """
        existing = self._slots.get(adapter_id)
        if existing is not None:
            return existing
        return self.put(adapter_id, draw_first_state(self.layout(spec), spec))

    def put(self, adapter_id: AdapterId, state: AdapterState) -> AdapterSlot:
        """Copy this state into a slot, whatever it held.

        Raises:
            QuotaExceededError: All slots hold other adapters.
        """
        if adapter_id not in self._slots and self.is_full:
            raise QuotaExceededError(
                f"All {self._max_adapters} adapter slots of this trainer are taken.",
                "Delete an adapter that is not needed, or wait for a run to end.",
            )
        self.remove(adapter_id)
        layout = self.layout(state.spec)
        stack = self._stacks.get(layout)
        if stack is None:
            stack = self._stacks[layout] = AdapterStack(layout, self._dtype, self._device)
        row = stack.add(adapter_id)
        slot = AdapterSlot(adapter_id, state.spec, stack, row, state.step, has_gradient=False)
        slot.parameters.copy_(state.parameters)
        slot.exp_avg.copy_(state.exp_avg)
        slot.exp_avg_sq.copy_(state.exp_avg_sq)
        slot.set_gradient(state.gradient)
        self._slots[adapter_id] = slot
        return slot

    def take(self, adapter_id: AdapterId) -> AdapterState:
        """Free the slot and return what it held, in memory of its own."""
        owned = self.get(adapter_id).state().map_tensors(torch.clone)
        self.remove(adapter_id)
        return owned

    def remove(self, adapter_id: AdapterId) -> None:
        """Free the slot, if there is one."""
        slot = self._slots.pop(adapter_id, None)
        if slot is None:
            return
        moved = slot.stack.remove(slot.row)
        if moved is not None:
            self._slots[moved].row = slot.row
        if not slot.stack.adapter_ids:
            del self._stacks[slot.layout]


def draw_first_state(layout: AdapterLayout, spec: AdapterSpec) -> AdapterState:
    """Draw the weights that training begins with; see `AdapterBank.create`."""
    if not (math.isfinite(spec.alpha) and spec.alpha > 0):
        raise InvalidConfigError(f"alpha={spec.alpha:g} is not above 0.")
    # In fp32 whatever the dtype, so that a seed means the same weights in all of them.
    parameters = torch.zeros(layout.num_parameters, dtype=torch.float32)
    generator = torch.Generator().manual_seed(spec.seed)
    for pair in layout.split(parameters):
        nn.init.kaiming_uniform_(pair.down, a=math.sqrt(5), generator=generator)
    return AdapterState(
        spec,
        parameters,
        torch.zeros_like(parameters),
        torch.zeros_like(parameters),
        gradient=None,
        step=0,
    )
