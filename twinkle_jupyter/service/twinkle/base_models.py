"""Base models that clients of the Twinkle protocol name in a path: what is none is not there."""

from __future__ import annotations

import asyncio

from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.service.base_model_names import check_name
from twinkle_jupyter.service.parts import ServiceParts


async def need_base_model(parts: ServiceParts, owner: str, name: str) -> None:
    """See that there is such a base model, or can be, and that this user may name it.

    Raises:
        NotFoundError: It is not so.
    """
    try:
        await check_name(parts, owner, name)
        await asyncio.to_thread(parts.check_base_model, name)
    except InvalidConfigError as error:
        raise NotFoundError(error.message, error.hint) from error
