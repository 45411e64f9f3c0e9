"""Where each matrix of an adapter lies in its flat buffer.

A function of the base model and the adapter's shape alone: a snapshot's (P,) numbers mean the same
to the trainer that made it, the sampler that answers from it and the file it is kept in.

Linear layers that read the same input lie together, their A matrices first, so that one narrow
matmul serves all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.engine.lora_linear import Factors
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.scheduling.request import AdapterSpec

#: Children of one module that read the same input, by the names that architectures give them.
_SHARED_INPUT = ({"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"})
_LAYER_NUMBER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class SiteGroup:
    """Linear layers with one input, and where their matrices begin in the flat buffer."""

    #: Indexes into the base model's sites.
    site_indexes: tuple[int, ...]
    #: All A matrices, one below the other: (len(site_indexes) x R, I).
    down_offset: int
    #: One B matrix a site: (O, R).
    up_offsets: tuple[int, ...]


@dataclass(frozen=True)
class AdapterLayout:
    """The adapter's matrices, group by group.

    Args:
        sites: All wrapped linear layers of the base model.
        rank: R
        targets: Last parts of the names of the layers that the adapter is on; empty means all.
        first_layer: Decoder layers before this one have no matrices.
    """

    sites: tuple[LinearSite, ...]
    rank: int
    targets: tuple[str, ...] = ()
    first_layer: int = 0

    @classmethod
    def of(cls, sites: tuple[LinearSite, ...], spec: AdapterSpec) -> AdapterLayout:
        """Return the layout of an adapter of this shape.

        Raises:
            InvalidConfigError: The rank is not above 0, or nothing would be trained.
        """
        if spec.rank < 1:
            raise InvalidConfigError(f"rank={spec.rank} is not above 0.")
        layout = cls(sites, spec.rank, tuple(sorted(set(spec.targets))), spec.first_layer)
        known = sorted({_last_part(site.name) for site in sites})
        unknown = sorted(set(spec.targets) - set(known))
        if unknown:
            raise InvalidConfigError(
                f"targets={', '.join(unknown)} are not linear layers of this base model.",
                f"It has {', '.join(known)}.",
            )
        if not layout.groups:
            raise InvalidConfigError(
                f"first_layer={spec.first_layer} leaves no layer of this base model to train."
            )
        return layout

    @cached_property
    def groups(self) -> tuple[SiteGroup, ...]:
        """Groups in the base model's order."""
        groups = []
        offset = 0
        for indexes in group_sites(self.sites):
            kept = tuple(index for index in indexes if self._is_trained(self.sites[index]))
            if not kept:
                continue
            down_offset = offset
            offset += len(kept) * self.rank * self.sites[kept[0]].in_features
            up_offsets = []
            for index in kept:
                up_offsets.append(offset)
                offset += self.rank * self.sites[index].out_features
            groups.append(SiteGroup(kept, down_offset, tuple(up_offsets)))
        return tuple(groups)

    @cached_property
    def trained_sites(self) -> tuple[int, ...]:
        """Indexes of the sites that have matrices, in the order that `split` returns them."""
        return tuple(index for group in self.groups for index in group.site_indexes)

    @cached_property
    def place_of(self) -> dict[int, tuple[int, int]]:
        """By site that has matrices: its group's number, and its place in the group."""
        return {
            index: (number, place)
            for number, group in enumerate(self.groups)
            for place, index in enumerate(group.site_indexes)
        }

    @property
    def num_parameters(self) -> int:
        """Length of the flat buffer, P."""
        return sum(
            self.rank * (self.sites[index].in_features + self.sites[index].out_features)
            for index in self.trained_sites
        )

    def split(self, flat: Tensor) -> tuple[Factors, ...]:
        """Return the matrices of `trained_sites` as views of `flat`, (P,)."""
        factors = []
        for group in self.groups:
            for place, index in enumerate(group.site_indexes):
                site = self.sites[index]
                down_size = self.rank * site.in_features
                down_start = group.down_offset + place * down_size
                up_start = group.up_offsets[place]
                down = flat[down_start : down_start + down_size]
                up = flat[up_start : up_start + self.rank * site.out_features]
                factors.append(
                    Factors(
                        down.view(self.rank, site.in_features),
                        up.view(site.out_features, self.rank),
                    )
                )
        return tuple(factors)

    def split_by_site(self, flat: Tensor) -> tuple[Factors | None, ...]:
        """Return one entry a site of the base model; None where the adapter has no matrices."""
        by_site: list[Factors | None] = [None] * len(self.sites)
        for index, pair in zip(self.trained_sites, self.split(flat), strict=True):
            by_site[index] = pair
        return tuple(by_site)

    def name_tensors(self, factors: Sequence[Factors]) -> dict[str, Tensor]:
        """Return what `split` returned under the names that PEFT gives them in its file."""
        named = {}
        for index, pair in zip(self.trained_sites, factors, strict=True):
            name = self.sites[index].name
            named[f"base_model.model.{name}.lora_A.weight"] = pair.down
            named[f"base_model.model.{name}.lora_B.weight"] = pair.up
        return named

    def _is_trained(self, site: LinearSite) -> bool:
        if self.targets and _last_part(site.name) not in self.targets:
            return False
        return layer_number(site) >= self.first_layer


def group_sites(sites: Sequence[LinearSite]) -> tuple[tuple[int, ...], ...]:
    """Put neighbours that read the same input together; every site is in one group."""
    groups: list[list[int]] = []
    for index, site in enumerate(sites):
        if groups and _share_input(sites[groups[-1][0]], site):
            groups[-1].append(index)
        else:
            groups.append([index])
    return tuple(map(tuple, groups))


def layer_number(site: LinearSite) -> int:
    """Return which decoder layer the site is in; 0 where its name does not say."""
    match = _LAYER_NUMBER.search(site.name)
    return int(match.group(1)) if match else 0


def _share_input(one: LinearSite, other: LinearSite) -> bool:
    parent, _, name = one.name.rpartition(".")
    other_parent, _, other_name = other.name.rpartition(".")
    return parent == other_parent and any({name, other_name} <= names for names in _SHARED_INPUT)


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]
