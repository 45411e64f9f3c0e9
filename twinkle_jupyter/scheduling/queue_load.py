"""How much one adapter has that is not answered yet."""

from __future__ import annotations

from dataclasses import dataclass

from twinkle_jupyter.ids import AdapterId


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """Of one adapter."""

    adapter_id: AdapterId
    user: str
    num_ops: int
    #: Of the passes among them.
    num_tokens: int
