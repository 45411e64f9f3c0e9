"""Slots: every adapter's weights, gradient and optimizer state, each as one flat buffer.

The A and B matrices are views of the buffers, gradients included, so that autograd adds straight
into the flat gradient and an optimizer step is one pass over memory. No slot knows of another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
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


class AdapterSlot:
    """One adapter, ready to train.

    Args:
        layout: Of the base model at the adapter's rank.
        state: Its tensors are taken over, not copied.
    """

    def __init__(self, layout: AdapterLayout, state: AdapterState) -> None:
        self.layout = layout
        self.spec = state.spec
        self.parameters = state.parameters
        self.exp_avg = state.exp_avg
        self.exp_avg_sq = state.exp_avg_sq
        self.has_gradient = state.gradient is not None
        self.gradient = (
            state.gradient if state.gradient is not None else torch.zeros_like(state.parameters)
        )
        self.step = state.step
        self.factors: tuple[Factors, ...] = layout.split(self.parameters)
        for pair, gradients in zip(self.factors, layout.split(self.gradient), strict=True):
            for leaf, gradient in zip(pair, gradients, strict=True):
                leaf.requires_grad_()
                leaf.grad = gradient

    @property
    def version(self) -> AdapterVersion:
        """Optimizer steps that the weights have seen."""
        return AdapterVersion(self.step)

    @property
    def size_bytes(self) -> int:
        """Bytes of weights, gradient and optimizer state."""
        return 4 * self.parameters.numel() * self.parameters.element_size()

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
        self._slots: dict[AdapterId, AdapterSlot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, adapter_id: AdapterId) -> bool:
        return adapter_id in self._slots

    @property
    def size_bytes(self) -> int:
        """Bytes of all slots."""
        return sum(slot.size_bytes for slot in self._slots.values())

    def layout(self, rank: int) -> AdapterLayout:
        """Return the layout of an adapter of this rank."""
        return AdapterLayout(self._sites, rank)

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
        if spec.rank < 1 or not (math.isfinite(spec.alpha) and spec.alpha > 0):
            raise InvalidConfigError(
                f"rank={spec.rank} and alpha={spec.alpha:g} are not both above 0."
            )
        layout = self.layout(spec.rank)
        # Drawn in fp32 whatever the dtype, so that a seed means the same weights in all of them.
        parameters = torch.zeros(layout.num_parameters, dtype=torch.float32)
        generator = torch.Generator().manual_seed(spec.seed)
        for pair in layout.split(parameters):
            nn.init.kaiming_uniform_(pair.down, a=math.sqrt(5), generator=generator)
        parameters = parameters.to(self._device, self._dtype)
        zeros = torch.zeros_like(parameters)
        return self.put(
            adapter_id, AdapterState(spec, parameters, zeros, zeros.clone(), gradient=None, step=0)
        )

    def put(self, adapter_id: AdapterId, state: AdapterState) -> AdapterSlot:
        """Fill a slot with this state, whatever it held; the tensors are taken over.

        Raises:
            QuotaExceededError: All slots hold other adapters.
        """
        if adapter_id not in self._slots and len(self._slots) >= self._max_adapters:
            raise QuotaExceededError(
                f"All {self._max_adapters} adapter slots of this trainer are taken.",
                "Delete an adapter that is not needed, or wait for a run to end.",
            )
        slot = AdapterSlot(self.layout(state.spec.rank), state)
        self._slots[adapter_id] = slot
        return slot

    def remove(self, adapter_id: AdapterId) -> None:
        """Free the slot, if there is one."""
        self._slots.pop(adapter_id, None)
