"""The lowest eval loss of a run, and whether it is still worth going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BestEval:
    """The lowest eval loss so far; of equal ones the first."""

    step: int
    loss: float
    #: Evals since then.
    num_since: int

    def has_waited(self, patience: int | None) -> bool:
        """Whether there were as many evals since as a run waits for."""
        return patience is not None and self.num_since >= patience

    def as_reason(self) -> str:
        """Say why a run ends here."""
        return (
            f"The eval loss has not fallen for {self.num_since} evals;"
            f" the best was {self.loss:.4g} at step {self.step}."
        )


def find_best(evals: Mapping[int, float]) -> BestEval | None:
    """Return the best of eval losses by step, in order; None where there is none."""
    if not evals:
        return None
    step = min(evals, key=lambda one: (evals[one], one))
    return BestEval(step, evals[step], sum(1 for one in evals if one > step))
