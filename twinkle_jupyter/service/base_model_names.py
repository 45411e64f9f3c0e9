"""Which base models a user may name: any by its name; a folder, only of a service of one's own.

On a service that others use, too, a folder would be a way to read what is not the user's, and its
name would be told to everybody.
"""

from __future__ import annotations

import asyncio

from twinkle_jupyter.config.base_models import LocalModel, resolve_base_model
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.service.own_service import is_shared
from twinkle_jupyter.service.parts import ServiceParts


async def check_name(parts: ServiceParts, owner: str, name: object) -> None:
    """See that this user may name this base model, if it is one; whether it is there comes later.

    Raises:
        InvalidConfigError: It is a folder, not the service's own base model, and others have keys.
    """
    config = parts.config
    if not isinstance(name, str) or name == config.base_model or name in config.base_models:
        return
    if not await asyncio.to_thread(_is_folder, name):
        return
    if await is_shared(parts, owner):
        raise InvalidConfigError(
            f"Base model `{name}` is a folder, and others use this service, too.",
            "Name a base model of the service (`%twinkle status`), a bundled one or a hub name.",
        )


def _is_folder(name: str) -> bool:
    try:
        return isinstance(resolve_base_model(name), LocalModel)
    except NotFoundError:
        return False
