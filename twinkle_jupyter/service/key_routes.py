"""API keys that users of a JupyterHub make for themselves: for clients that take no Hub token.

A key is as good as its owner: it is refused once the Hub no longer knows them.
"""

from __future__ import annotations

from fastapi import APIRouter

from twinkle_jupyter.errors import ForbiddenError, NotFoundError, QuotaExceededError
from twinkle_jupyter.service.asker import CurrentAsker, Owner
from twinkle_jupyter.service.auth import KnownKey, create_key, id_of_key, list_keys, revoke_key
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.quotas import NEVER
from twinkle_jupyter.store.audit import note_act
from twinkle_jupyter.wire.keys import KeyBody, KeyListBody, MadeKeyBody, NewKeyBody

router = APIRouter(tags=["keys"])


@router.post("/keys", status_code=201)
async def post_key(body: NewKeyBody, parts: Parts, asker: CurrentAsker) -> MadeKeyBody:
    """Make a key for the Hub user who asks. Whoever comes by a key gets no further one."""
    if not asker.may_make_keys:
        raise ForbiddenError(
            "API keys are made with a Hub token.", "An admin makes others: `twinkle keys create`."
        )
    key = await create_key(parts.store, asker.owner, body.label)
    keys = await list_keys(parts.store, asker.owner)
    most, key_id = parts.config.hub.keys_per_user, id_of_key(key)
    # Looked at only now that it is there: of several that are made at once, the oldest stay.
    if key_id not in {known.key_id for known in keys[:most]}:
        await revoke_key(parts.store, key_id)
        raise QuotaExceededError(
            f"keys_per_user={most} is used up.",
            "Revoke one: DELETE /api/v1/keys/ID.",
            retry_after_s=NEVER,
        )
    made = next(known for known in keys if known.key_id == key_id)
    await note_act(parts.store, asker.owner, "key_made", key_id, made.label)
    return MadeKeyBody(key=key, **_body(made).model_dump())


@router.get("/keys")
async def get_keys(parts: Parts, owner: Owner) -> KeyListBody:
    """List the asker's keys, which cannot be had a second time."""
    return KeyListBody(keys=tuple(map(_body, await list_keys(parts.store, owner))))


@router.delete("/keys/{key_id}", status_code=204)
async def delete_key(key_id: str, parts: Parts, owner: Owner) -> None:
    """Refuse a key of the asker's from now on."""
    if key_id not in {known.key_id for known in await list_keys(parts.store, owner)}:
        raise NotFoundError(f"There is no API key {key_id!r}.", "GET /api/v1/keys lists yours.")
    await revoke_key(parts.store, key_id)
    await note_act(parts.store, owner, "key_revoked", key_id)


def _body(known: KnownKey) -> KeyBody:
    return KeyBody(key_id=known.key_id, label=known.label, created_at=known.created_at)
