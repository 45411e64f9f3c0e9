"""One training example: token ids with what to learn of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one row, aligned for next-token prediction.

    `targets[i]` is the token to predict after having read `tokens[: i + 1]`. All tuples have the
    same length T, but for the two that only some losses need.
    """

    #: (T,) input token ids.
    tokens: tuple[int, ...]
    #: (T,) the token id to predict at each position.
    targets: tuple[int, ...]
    #: (T,) loss weight of each target; 0 where nothing is to be learned.
    weights: tuple[float, ...]
    #: (T,) how much better each target turned out than expected, for the policy losses; or empty.
    advantages: tuple[float, ...] = ()
    #: (T,) log-probability of each target when it was sampled, or under the reference that `dpo`
    #: compares with; or empty.
    sampled_logprobs: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an example whose parts do not line up."""
        if not len(self.tokens) == len(self.targets) == len(self.weights):
            sizes = f"{len(self.tokens)}, {len(self.targets)}, {len(self.weights)}"
            raise ValueError(f"tokens, targets and weights differ in length: {sizes}")
        for name in ("advantages", "sampled_logprobs"):
            if (length := len(getattr(self, name))) not in (0, len(self.tokens)):
                raise ValueError(f"{name} has {length} entries for {len(self.tokens)} tokens")

    @classmethod
    def from_sequence(cls, token_ids: Sequence[int], weights: Sequence[float]) -> Example:
        """Shift a whole sequence by one: (T+1,) ids and the loss weight of each id."""
        return cls(tuple(token_ids[:-1]), tuple(token_ids[1:]), tuple(weights[1:]))

    @property
    def num_tokens(self) -> int:
        """Number of positions, T."""
        return len(self.tokens)

    @property
    def num_supervised(self) -> int:
        """Number of positions that carry loss."""
        return sum(1 for weight in self.weights if weight != 0)
