"""How threads of our compute processes get along: set before torch is loaded, or not at all."""

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


def load_numpy_first() -> None:
    """Import numpy while this process has one thread that imports.

    Ray unpickles arguments on threads of its own, and a snapshot has an array in it. Where one
    arrives while the engine's thread is importing torch, and with it numpy, both find half a numpy.
    """
    import numpy  # noqa: F401
