"""Who a request comes from: whose things it may touch, their groups, whether they are an admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from twinkle_jupyter.errors import ForbiddenError


@dataclass(frozen=True, slots=True)
class Asker:
    """A user as the gate knows them; nothing here is taken from what the request says of itself."""

    owner: str
    groups: frozenset[str] = frozenset()
    is_admin: bool = False
    #: Whether they have shown more than an API key, and so may make one.
    may_make_keys: bool = False


async def _asker_of_request(request: Request) -> Asker:
    return cast("Asker", request.state.asker)


async def _owner_of_request(request: Request) -> str:
    return cast("Asker", request.state.asker).owner


async def _admin_of_request(request: Request) -> Asker:
    asker = cast("Asker", request.state.asker)
    if not asker.is_admin:
        raise ForbiddenError(
            "This is for admins of the service.", "An admin makes keys with --admin."
        )
    return asker


#: Parameters of routes: the whole asker; whose things the request may touch; an admin, or 403.
CurrentAsker = Annotated[Asker, Depends(_asker_of_request)]
Owner = Annotated[str, Depends(_owner_of_request)]
Admin = Annotated[Asker, Depends(_admin_of_request)]
