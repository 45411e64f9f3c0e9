"""Links to saved weights that need no key: signed, for one user's files, and soon over.

Clients fetch them with whatever they have, which sends no key. A link holds what it is for and when
it ends, under a signature that only services of this store can make.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, cast

from twinkle_jupyter.errors import NotAllowedError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.store.interface import StateStore

#: What other programs load; the rest of a checkpoint is ours.
EXPORTED_FILES = ("adapter_config.json", "adapter_model.safetensors")
LIFE = timedelta(minutes=15)
#: Longer ones are nobody's.
_MAX_LINK = 16_000
_KEY = "download-signing-key"


@dataclass(frozen=True, slots=True)
class Download:
    """What one link is for."""

    owner: str
    #: As clients name it.
    path: str
    #: One of the exported files; empty for an archive of all.
    file: str
    #: ISO 8601, UTC.
    expires_at: str
    #: Of whoever asked for it: what is shared with them is looked up again when it is fetched.
    groups: tuple[str, ...] = ()

    @classmethod
    def of(cls, asker: Asker, path: str, file: str = "") -> Self:
        """Return one that begins now."""
        expires_at = (datetime.now(tz=UTC) + LIFE).isoformat(timespec="seconds")
        return cls(asker.owner, path, file, expires_at, tuple(sorted(asker.groups)))

    @property
    def asker(self) -> Asker:
        """Whoever asked for it."""
        return Asker(self.owner, frozenset(self.groups))


async def sign(store: StateStore, download: Download) -> str:
    """Return the end of a link."""
    content = _encode(json.dumps(asdict(download)).encode())
    return f"{content}.{await _signature(store, content)}"


async def read_signed(store: StateStore, link: str) -> Download:
    """Return what a link is for; raises NotAllowedError for one that is over, or nobody's."""
    content, _, signature = link.partition(".")
    is_ours = len(link) <= _MAX_LINK and hmac.compare_digest(
        signature.encode(), (await _signature(store, content)).encode()
    )
    try:
        fields = json.loads(base64.urlsafe_b64decode(content)) if is_ours else None
    except (ValueError, binascii.Error):
        fields = None
    download = None if fields is None else Download(**cast("dict[str, str]", fields))  # type: ignore[arg-type]
    if download is None or datetime.fromisoformat(download.expires_at) < datetime.now(tz=UTC):
        raise NotAllowedError("This link is over, or never was one.", "Ask for the weights again.")
    return download


async def _signature(store: StateStore, content: str) -> str:
    row = await store.get(_KEY)
    if row is None:
        await store.put_if_absent(_KEY, {"key": secrets.token_hex(32)})
        row = await store.get(_KEY)
    key = str((row or {})["key"]).encode()
    return _encode(hmac.digest(key, content.encode(), hashlib.sha256))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode("ascii")
