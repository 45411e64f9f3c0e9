"""How our compute processes share the cores. Set before torch is loaded, or not at all."""

from __future__ import annotations

import os


def share_cores() -> None:
    """Let threads of OpenMP sleep while they wait for one another.

    Trainer and sampler each use all cores. Spinning, which is the default, burns the very core that
    the other one needs: a step beside a probe took ten times as long.
    """
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ["GOMP_SPINCOUNT"] = "0"
