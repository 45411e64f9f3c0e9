"""What the routes of the Tinker protocol work with, beside what all routes do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self, cast

from fastapi import Depends, Request

from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.clients.row_cleanup import RowCleanup
from twinkle_jupyter.service.clients.session_keeper import SessionKeeper
from twinkle_jupyter.service.clients.sessions import Sessions
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.tinker.coming_outcomes import ComingOutcomes
from twinkle_jupyter.service.tinker.futures import Futures
from twinkle_jupyter.service.tinker.samples import Samples
from twinkle_jupyter.service.tinker.sampling_sessions import SamplingSessions


@dataclass(frozen=True, slots=True)
class TinkerState:
    """Of one application."""

    sessions: Sessions
    adapters: ClientAdapters
    coming: ComingOutcomes
    futures: Futures
    samples: Samples
    sampling_sessions: SamplingSessions
    keeper: SessionKeeper
    cleanup: RowCleanup

    @classmethod
    def of(cls, parts: ServiceParts) -> Self:
        """Put it together."""
        sessions, adapters = Sessions(parts.store), ClientAdapters(parts)
        samples, coming = Samples(parts.store, parts.quotas, parts.places), ComingOutcomes()
        return cls(
            sessions,
            adapters,
            coming,
            Futures(parts, adapters, samples, coming),
            samples,
            SamplingSessions(parts),
            SessionKeeper(parts, sessions, adapters),
            RowCleanup(parts, sessions),
        )


async def _state_of_app(request: Request) -> TinkerState:
    return cast("TinkerState", request.app.state.tinker)


#: A route's parameter.
State = Annotated[TinkerState, Depends(_state_of_app)]
