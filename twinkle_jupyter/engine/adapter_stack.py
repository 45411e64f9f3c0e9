"""Adapters of one shape, one below the other: what a batched matmul reads as it is.

The rows in use are always the first ones: an adapter that leaves is replaced by the last, so that
any batch of all adapters is one slice. Capacity doubles and halves.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.ids import AdapterId


@dataclass(frozen=True, slots=True, eq=False)
class GroupViews:
    """Matrices of some neighbouring adapters (k of them) in one group of m linear layers."""

    #: (k, m x R, I) and its gradient.
    down: Tensor
    down_gradient: Tensor
    #: For each layer (k, O, R), and its gradient.
    ups: tuple[Tensor, ...]
    up_gradients: tuple[Tensor, ...]
    #: `down` as (k, I, m x R), `ups` as (k, R, O).
    down_turned: Tensor
    ups_turned: tuple[Tensor, ...]

    @classmethod
    def build(
        cls,
        down: Tensor,
        down_gradient: Tensor,
        ups: tuple[Tensor, ...],
        up_gradients: tuple[Tensor, ...],
    ) -> GroupViews:
        """Add the turned views."""
        turned = tuple(up.transpose(1, 2) for up in ups)
        return cls(down, down_gradient, ups, up_gradients, down.transpose(1, 2), turned)

    def select(self, first: int, num_sites: int, rank: int) -> GroupViews:
        """Return the part of `num_sites` neighbouring layers."""
        sites = slice(first, first + num_sites)
        ranks = slice(first * rank, (first + num_sites) * rank)
        return GroupViews.build(
            self.down[:, ranks],
            self.down_gradient[:, ranks],
            self.ups[sites],
            self.up_gradients[sites],
        )


class AdapterStack:
    """Storage of every adapter of one shape.

    Args:
        layout: Of each of them.
        dtype: Of weights, gradients and moments.
        device: Where they are kept.
    """

    def __init__(
        self,
        layout: AdapterLayout,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.layout = layout
        #: Who is in which row.
        self.adapter_ids: list[AdapterId] = []
        shape = (1, layout.num_parameters)
        #: (S, P) each.
        self.parameters = torch.zeros(shape, dtype=dtype, device=device)
        self.gradient = torch.zeros_like(self.parameters)
        self.exp_avg = torch.zeros_like(self.gradient)
        self.exp_avg_sq = torch.zeros_like(self.gradient)
        self._views: dict[tuple[int, int], tuple[GroupViews, ...]] = {}

    @property
    def _capacity(self) -> int:
        # The shortest: memory may have run out while they were resized.
        tensors = (self.parameters, self.gradient, self.exp_avg, self.exp_avg_sq)
        return min(tensor.shape[0] for tensor in tensors)

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows, those that are free included."""
        tensors = (self.parameters, self.gradient, self.exp_avg, self.exp_avg_sq)
        return sum(tensor.nbytes for tensor in tensors)

    def add(self, adapter_id: AdapterId) -> int:
        """Return the row of a new adapter; what the row holds is anything."""
        if len(self.adapter_ids) == self._capacity:
            self._resize(2 * len(self.adapter_ids))
        self.adapter_ids.append(adapter_id)
        return len(self.adapter_ids) - 1

    def remove(self, row: int) -> AdapterId | None:
        """Free the row; return who moved into it from the end, if anybody did."""
        last = len(self.adapter_ids) - 1
        moved = None
        if row != last:
            moved = self.adapter_ids[last]
            self.adapter_ids[row] = moved
            for stacked in (self.parameters, self.gradient, self.exp_avg, self.exp_avg_sq):
                stacked[row].copy_(stacked[last])
        self.adapter_ids.pop()
        if 0 < 4 * len(self.adapter_ids) <= self._capacity:
            self._resize(2 * len(self.adapter_ids))
        return moved

    def views(self, row: int, num_adapters: int) -> tuple[GroupViews, ...]:
        """Return one entry a group of the layout for the adapters from `row` on."""
        key = (row, num_adapters)
        if key not in self._views:
            self._views[key] = self._build_views(row, row + num_adapters)
        return self._views[key]

    def _build_views(self, first: int, end: int) -> tuple[GroupViews, ...]:
        parameters = self.parameters[first:end]
        gradient = self.gradient[first:end]
        layout, rank = self.layout, self.layout.rank
        built = []
        for group in layout.groups:
            sites = [layout.sites[index] for index in group.site_indexes]
            in_features = sites[0].in_features
            down = slice(group.down_offset, group.down_offset + len(sites) * rank * in_features)
            ups = [
                (slice(offset, offset + rank * site.out_features), site.out_features)
                for offset, site in zip(group.up_offsets, sites, strict=True)
            ]
            built.append(
                GroupViews.build(
                    down=parameters[:, down].view(-1, len(sites) * rank, in_features),
                    down_gradient=gradient[:, down].view(-1, len(sites) * rank, in_features),
                    ups=tuple(parameters[:, up].view(-1, out, rank) for up, out in ups),
                    up_gradients=tuple(gradient[:, up].view(-1, out, rank) for up, out in ups),
                )
            )
        return tuple(built)

    def _resize(self, capacity: int) -> None:
        num_kept = len(self.adapter_ids)

        def resize(stacked: Tensor) -> Tensor:
            resized = stacked.new_zeros((capacity, stacked.shape[1]))
            resized[:num_kept].copy_(stacked[:num_kept])
            return resized

        self._views.clear()
        # One after the other, so that only one of them is there twice.
        self.parameters = resize(self.parameters)
        self.gradient = resize(self.gradient)
        self.exp_avg = resize(self.exp_avg)
        self.exp_avg_sq = resize(self.exp_avg_sq)
