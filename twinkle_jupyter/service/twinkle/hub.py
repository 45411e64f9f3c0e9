"""Uploads to a model hub: a service makes none, and says what does."""

from __future__ import annotations

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.twinkle.weights import find_weights
from twinkle_jupyter.wire.twinkle_bodies import UploadBody


async def refuse_upload(parts: ServiceParts, asker: Asker, body: UploadBody) -> None:
    """Raise what a client that wants an upload is told.

    Raises:
        NotFoundError: This user has no such checkpoint.
        InvalidDataError: They have.
    """
    named = body.checkpoint_dir
    name = named if isinstance(named, str) else str(named.get("twinkle_path", ""))
    await find_weights(parts, asker, name)
    raise InvalidDataError(
        f"{name!r} is not sent to {body.hub_model_id!r}: a service uploads nothing to a hub, and"
        " keeps no token for one.",
        "`%twinkle push` uploads from where you are; it needs your token there.",
    )
