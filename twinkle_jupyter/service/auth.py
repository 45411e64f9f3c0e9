"""Who is asking: API keys, known to the store by their SHA-256 only, and the gate in front.

Every path but the open ones needs a key, or a token of the JupyterHub around the service; a route
cannot forget to ask. Neither is ever logged.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from twinkle_jupyter.errors import ConflictError, NotAllowedError, NotFoundError, TwinkleError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.error_bodies import error_response
from twinkle_jupyter.service.hub_users import HubUsers
from twinkle_jupyter.service.quotas import Quotas
from twinkle_jupyter.service.still_allowed import EVERY_S, StillAllowed
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import KeyRow

PREFIX = "tml-"
#: Answered without a key.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
#: Longer ones are not worth hashing.
_MAX_KEY = 200

#: Digits of a digest that are shown.
_ID_LENGTH = 12
_KEY_ID = re.compile(r"[0-9a-f]{4,64}")

_HINT = "In Jupyter: `%twinkle start`. Elsewhere: set TWINKLE_API_KEY."
_HUB_HINT = "On a JupyterHub: restart your server, or take a new token from the Hub."

#: Below it are links that are signed themselves.
OPEN_DOWNLOADS = "/api/v1/downloads/"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as it may be shown: nobody can use it by what is here."""

    #: The beginning of its digest, by which it is revoked.
    key_id: str
    owner: str
    label: str
    created_at: str
    is_admin: bool
    groups: tuple[str, ...]


async def create_key(
    store: StateStore,
    owner: str,
    label: str = "",
    *,
    is_admin: bool = False,
    groups: Sequence[str] = (),
) -> str:
    """Make a key for `owner` and return it; it cannot be had a second time."""
    key = f"{PREFIX}{secrets.token_urlsafe(32)}"
    row = KeyRow(owner, label=label, is_admin=is_admin, groups=groups)
    await store.put(KeyRow.key(_digest(key)), row.to_row())
    return key


def id_of_key(key: str) -> str:
    """Return the id by which a key is listed and revoked."""
    return _digest(key)[:_ID_LENGTH]


async def list_keys(store: StateStore, owner: str = "") -> list[KnownKey]:
    """Return everybody's keys, or those of one owner, oldest first."""
    rows = await store.list_rows(KeyRow.key(""))
    keys = [_known_key(place, KeyRow.from_row(row)) for place, row in rows]
    own = [key for key in keys if not owner or key.owner == owner]
    return sorted(own, key=lambda key: key.created_at)


async def revoke_key(store: StateStore, key_id: str) -> KnownKey:
    """Take a key from its owner, from the next request on; return what it was.

    Args:
        store: Has the keys.
        key_id: As `list_keys` has it, or any beginning of the digest that only one key has.

    Raises:
        NotFoundError: There is no such key.
        ConflictError: Several keys begin so.
    """
    rows = await store.list_rows(KeyRow.key(key_id)) if _KEY_ID.fullmatch(key_id) else []
    if not rows:
        raise NotFoundError(
            f"There is no API key {key_id!r}.", "`twinkle keys list` has their ids."
        )
    if len(rows) > 1:
        raise ConflictError(f"{len(rows)} API keys begin with {key_id!r}.", "Give more of the id.")
    ((place, row),) = rows
    await store.delete(place)
    return _known_key(place, KeyRow.from_row(row))


async def asker_of_key(store: StateStore, key: str) -> Asker | None:
    """Return whose key this is, None for a key that nobody has."""
    if not key.startswith(PREFIX) or len(key) > _MAX_KEY:
        return None
    digest = _digest(key)
    # The prefix search compares digests in its own time, from which no key can be worked out;
    # the comparison that decides takes the same time for any of them.
    for found, row in await store.list_rows(KeyRow.key(digest)):
        if hmac.compare_digest(found, KeyRow.key(digest)):
            known = KeyRow.from_row(row)
            return Asker(known.owner, frozenset(known.groups), known.is_admin)
    return None


class ApiKeyGate:
    """ASGI middleware: lets a request through with its asker in `scope["state"]`, or answers 401.

    Raises nothing; a store that cannot be read answers 503, and so does a Hub that does not answer;
    one request too many is answered 429, and a Hub token without the scope 403.
    """

    def __init__(
        self, app: ASGIApp, store: StateStore, quotas: Quotas, hub: HubUsers | None = None
    ) -> None:
        self._app = app
        self._store = store
        self._quotas = quotas
        self._hub = hub
        self._look_every_s = EVERY_S if hub is None else min(EVERY_S, hub.cache_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or refuse."""
        path = scope.get("path", "")
        is_open = path in OPEN_PATHS or path.startswith(OPEN_DOWNLOADS)
        if scope["type"] != "http" or is_open:
            await self._app(scope, receive, send)
            return
        try:
            asker = await self._asker(Headers(scope=scope))
            await self._quotas.admit_request(asker)
        except TwinkleError as error:
            await error_response(error, for_all=True)(scope, receive, send)
            return
        scope.setdefault("state", {})["asker"] = asker
        answer = StillAllowed(send, lambda: self._asker(Headers(scope=scope)), self._look_every_s)
        try:
            await self._app(scope, receive, answer)
        except (OSError, BaseExceptionGroup, ClientDisconnect):
            if not answer.has_ended:
                raise

    async def _asker(self, headers: Headers) -> Asker:
        key = _key_in(headers)
        if not key:
            raise NotAllowedError("This needs an API key.", _HINT)
        if self._hub is not None and not key.startswith(PREFIX):
            found = await self._hub.asker_of_token(key)
            if found is None:
                raise NotAllowedError("The Hub does not know this token.", _HUB_HINT)
            return found
        asker = await asker_of_key(self._store, key)
        if asker is not None and self._hub is not None:
            asker = await self._hub.asker_of_owner(asker)
        if asker is None:
            raise NotAllowedError("The service does not know this API key.", _HINT)
        return asker


def _key_in(headers: Headers) -> str:
    key = headers.get("x-api-key", "")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    # Jupyter's own clients say `token`.
    if not key and scheme.lower() in ("bearer", "token"):
        key = value.strip()
    if not key:  # a proxy may keep the other one to itself
        key = headers.get("twinkle-authorization", "").removeprefix("Bearer ").strip()
    return key


def _known_key(place: str, row: KeyRow) -> KnownKey:
    key_id = place.removeprefix(KeyRow.key(""))[:_ID_LENGTH]
    return KnownKey(key_id, row.owner, row.label, row.created_at, row.is_admin, tuple(row.groups))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
