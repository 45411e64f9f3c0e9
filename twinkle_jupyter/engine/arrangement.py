"""Which adapter is where in a trainer: apart from `residency`, to be told without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from twinkle_jupyter.ids import AdapterId

#: In a slot, in host memory, or on disk.
Place: TypeAlias = Literal["active", "resident", "stored"]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The same arrangement and the same ops give the same bits."""

    #: In slots, in the order of their rows.
    rows: Sequence[AdapterId] = ()
    #: The same, in the order of use, what was used longest ago first.
    by_use: Sequence[AdapterId] = ()
    #: Elsewhere, in the order of use.
    outside: Sequence[AdapterId] = ()

    @property
    def everyone(self) -> tuple[AdapterId, ...]:
        """All adapters there are."""
        return (*self.rows, *self.outside)
