"""How our compute processes share the cores. Set before torch is loaded, or not at all."""

from __future__ import annotations

import os

#: Rounds in which a thread looks again before it sleeps. Chosen by measurement:
#: docs/experiments.md.
_SPINS = 1000


def share_cores() -> None:
    """Let OpenMP's threads sleep soon while they wait for one another.

    Trainer and sampler each use all cores. Spinning for long, which is the default, burns the very
    core that the other one needs: beside a probe a step took ten times as long.
    """
    os.environ["GOMP_SPINCOUNT"] = str(_SPINS)
