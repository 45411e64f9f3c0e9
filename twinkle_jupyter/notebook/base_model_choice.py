"""The base model that a person names in a cell or a terminal, as the service understands it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinkle_jupyter.config.base_models import LocalModel, resolve_base_model

if TYPE_CHECKING:
    from twinkle_jupyter.client.discovery import Connection


def settle_base_model(name: str, connection: Connection | None) -> str:
    """Return the name with a folder made absolute, since the service works in another folder.

    Args:
        name: As it was written.
        connection: The running service, which looks for the other names itself; None before one is
            started, so that a name of nothing starts none. Blocks for seconds for a hub name then.

    Raises:
        NotFoundError: Nothing of that name can be had.
        InvalidConfigError: The folder is no complete model.
    """
    if connection is not None and not connection.pid:
        return name  # of the machine where that service is
    from twinkle_jupyter.launch.base_model_check import check_base_model

    source = resolve_base_model(name)
    if connection is None or isinstance(source, LocalModel):
        check_base_model(name)
    return str(source.folder) if isinstance(source, LocalModel) else name
