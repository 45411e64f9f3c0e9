"""Where each matrix of an adapter lies in its flat buffer.

A function of the base model and the rank alone: a snapshot's (P,) numbers mean the same to the
trainer that made it, the sampler that answers from it and the file it is kept in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.engine.lora_linear import Factors


@dataclass(frozen=True, slots=True)
class AdapterLayout:
    """For each linear layer its A (R, I), then its B (O, R), one after another."""

    sites: tuple[LinearSite, ...]
    rank: int

    @property
    def num_parameters(self) -> int:
        """Length of the flat buffer, P."""
        return self.rank * sum(site.in_features + site.out_features for site in self.sites)

    def split(self, flat: Tensor) -> tuple[Factors, ...]:
        """Return each layer's matrices as views of `flat`, (P,)."""
        factors = []
        offset = 0
        for site in self.sites:
            middle = offset + self.rank * site.in_features
            end = middle + self.rank * site.out_features
            down = flat[offset:middle].view(self.rank, site.in_features)
            up = flat[middle:end].view(site.out_features, self.rank)
            factors.append(Factors(down, up))
            offset = end
        return tuple(factors)

    def name_tensors(self, factors: Sequence[Factors]) -> dict[str, Tensor]:
        """Return the matrices under the names that PEFT gives them in its file."""
        named = {}
        for site, pair in zip(self.sites, factors, strict=True):
            named[f"base_model.model.{site.name}.lora_A.weight"] = pair.down
            named[f"base_model.model.{site.name}.lora_B.weight"] = pair.up
        return named
