"""What the routes of the Twinkle protocol work with, beside what all routes do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self, cast

from fastapi import Depends, Request

from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.tinker.state import TinkerState
from twinkle_jupyter.service.twinkle.adapters import NamedAdapters
from twinkle_jupyter.service.twinkle.processors import Processors
from twinkle_jupyter.service.twinkle.setups import Setups
from twinkle_jupyter.service.twinkle.turns import Turns


@dataclass(frozen=True, slots=True)
class TwinkleState:
    """Of one application."""

    parts: ServiceParts
    adapters: NamedAdapters
    turns: Turns
    setups: Setups
    processors: Processors

    @classmethod
    def of(cls, parts: ServiceParts, tinker: TinkerState) -> Self:
        """Put it together; sessions and adapters are those of every client that trains."""
        return cls(
            parts,
            NamedAdapters(parts, tinker.sessions, tinker.adapters),
            Turns(tinker.adapters),
            Setups(parts.store),
            Processors(parts),
        )


async def _state_of_app(request: Request) -> TwinkleState:
    return cast("TwinkleState", request.app.state.twinkle)


#: A route's parameter.
State = Annotated[TwinkleState, Depends(_state_of_app)]
