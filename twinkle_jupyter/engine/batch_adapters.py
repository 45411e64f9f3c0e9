"""The adapters of one micro-batch beside the frozen layers: forward, and backward by hand.

Tokens of one adapter are neighbours, and adapters with equally many tokens that are neighbours in
their stack form a run: three-dimensional matmuls then serve all of them at once, whatever their
number, without a copy. Mixed ranks, lengths and targets only make more runs.

With x (T, I) and A (R, I), B (O, R), scale s of an adapter (Hu et al. 2021, arXiv:2106.09685):

    mid = x A'          out += s mid B'
    dmid = g B          dx += s dmid A      dA += s dmid' x      dB += s g' mid

Gradients are added into the stacks, not returned: autograd never sees an adapter's weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterSlot
from twinkle_jupyter.engine.adapter_stack import GroupViews
from twinkle_jupyter.engine.compute_dtype import convert_like

#: What one run keeps of a group for the backward pass: (k, n, m x R), or None where it has no part.
Mids = list[Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """k adapters of one stack, n tokens each, from `start` on."""

    start: int
    num_adapters: int
    tokens_each: int
    rank: int
    scale: float
    #: By group of the base model: the matrices, and which of the group's sites they are for.
    groups: tuple[tuple[GroupViews, tuple[int, ...]] | None, ...]

    def cut(self, x: Tensor) -> Tensor:
        """Return the run's part of (T, F) as (k, n, F), without a copy."""
        num_tokens = self.num_adapters * self.tokens_each
        if num_tokens != x.shape[0]:
            x = x.narrow(0, self.start, num_tokens)
        return x.view(self.num_adapters, self.tokens_each, x.shape[1])

    def pick(self, mid: Tensor, index: int) -> Tensor:
        """Return the ranks of one site of a group, (k, n, R)."""
        if mid.shape[2] == self.rank:
            return mid
        return mid.narrow(2, index * self.rank, self.rank)


class BatchAdapters:
    """Adapters and the tokens they own.

    Args:
        owners: Each with its number of tokens, in the tokens' order.
        base_groups: Site indexes of every group of the base model.
    """

    def __init__(
        self,
        owners: Sequence[tuple[AdapterSlot, int]],
        base_groups: Sequence[tuple[int, ...]],
    ) -> None:
        self._runs = tuple(_find_runs(owners, base_groups))

    def project(self, group: int, x: Tensor) -> Mids:
        """Map the group's input (T, I) into every adapter's ranks."""
        mids: Mids = []
        for run in self._runs:
            part = run.groups[group]
            if part is None:
                mids.append(None)
                continue
            views, _ = part
            mids.append(torch.bmm(run.cut(x), convert_like(views.down_turned, x)))
        return mids

    def add_deltas(self, group: int, mids: Mids, outs: Sequence[Tensor]) -> None:
        """Add what the adapters say to each site's output (T, O), in place."""
        for run, mid in zip(self._runs, mids, strict=True):
            part = run.groups[group]
            if part is None or mid is None:
                continue
            views, places = part
            for index, place in enumerate(places):
                up, own = convert_like(views.ups_turned[index], mid), run.pick(mid, index)
                out = run.cut(outs[place])
                if out.dtype == mid.dtype:
                    out.baddbmm_(own, up, alpha=run.scale)
                else:
                    out.add_(torch.bmm(own, up), alpha=run.scale)

    def add_gradients(
        self,
        group: int,
        x: Tensor,
        mids: Mids,
        grad_outs: Sequence[Tensor],
        grad_x: Tensor | None,
    ) -> None:
        """Add to the matrices' gradients, and to (T, I) `grad_x` if it is wanted, in place.

        Args:
            group: Which group of the base model.
            x: (T, I) what `project` was called with.
            mids: What it returned.
            grad_outs: For each site (T, O).
            grad_x: What the frozen layers have added up so far.
        """
        for run, mid in zip(self._runs, mids, strict=True):
            part = run.groups[group]
            if part is None or mid is None:
                continue
            views, places = part
            grad_mids = []
            for index, place in enumerate(places):
                grad_out = run.cut(grad_outs[place])
                grad_mids.append(torch.bmm(grad_out, convert_like(views.ups[index], mid)))
                own_mid = run.pick(mid, index)
                _add_product(views.up_gradients[index], grad_out, own_mid, run.scale)
            grad_mid = grad_mids[0] if len(grad_mids) == 1 else torch.cat(grad_mids, dim=2)
            if grad_x is not None:
                run.cut(grad_x).baddbmm_(grad_mid, convert_like(views.down, mid), alpha=run.scale)
            _add_product(views.down_gradient, grad_mid, run.cut(x), run.scale)


def _add_product(gradient: Tensor, left: Tensor, right: Tensor, scale: float) -> None:
    """Add scale x left' right to (k, …) `gradient`, in place."""
    if gradient.shape[0] == 1 and gradient.dtype == left.dtype:
        gradient.baddbmm_(left.transpose(1, 2), right, alpha=scale)
    else:
        # Into memory of its own first: the stack's rows are too far apart for one call.
        gradient.add_(torch.bmm(left.transpose(1, 2), right), alpha=scale)


def _find_runs(
    owners: Sequence[tuple[AdapterSlot, int]], base_groups: Sequence[tuple[int, ...]]
) -> list[_Run]:
    runs: list[_Run] = []
    start = first = 0
    for index, (slot, num_tokens) in enumerate(owners):
        following = owners[index + 1] if index + 1 < len(owners) else None
        if (
            following is not None
            and following[0].stack is slot.stack
            and following[0].row == slot.row + 1
            and following[1] == num_tokens
            and following[0].spec.scale == slot.spec.scale
        ):
            continue
        slots = [owner for owner, _ in owners[first : index + 1]]
        runs.append(_build_run(start, num_tokens, slots, base_groups))
        start += len(slots) * num_tokens
        first = index + 1
    return runs


def _build_run(
    start: int,
    num_tokens: int,
    slots: Sequence[AdapterSlot],
    base_groups: Sequence[tuple[int, ...]],
) -> _Run:
    stack, layout = slots[0].stack, slots[0].layout
    views = stack.views(slots[0].row, len(slots))
    place_of = layout.place_of
    groups: list[tuple[GroupViews, tuple[int, ...]] | None] = []
    for sites in base_groups:
        places = tuple(place for place, index in enumerate(sites) if index in place_of)
        if not places:
            groups.append(None)
            continue
        number, first = place_of[sites[places[0]]]
        own = views[number]
        if len(own.ups) > len(places):
            own = own.select(first, len(places), layout.rank)
        groups.append((own, places))
    return _Run(start, len(slots), num_tokens, layout.rank, slots[0].spec.scale, tuple(groups))
