"""Every loss by its name. All are sums over positions, never averaged: that is the caller's choice.

A loss is a pure function of the positions it is given; it knows no adapter, model or optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from twinkle_jupyter.engine.losses.definition import Loss
from twinkle_jupyter.engine.losses.likelihood import CROSS_ENTROPY
from twinkle_jupyter.engine.losses.policy import CISPO, DRO, IMPORTANCE_SAMPLING, PPO
from twinkle_jupyter.engine.losses.preference import DPO

#: By the name that `ForwardBackward.loss` gives it.
LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "cross_entropy": CROSS_ENTROPY,
        "importance_sampling": IMPORTANCE_SAMPLING,
        "ppo": PPO,
        "cispo": CISPO,
        "dro": DRO,
        "dpo": DPO,
    }
)
