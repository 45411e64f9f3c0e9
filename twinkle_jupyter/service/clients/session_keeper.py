"""What becomes of a client's adapters when it is gone: on disk, out of their slots, not lost."""

from __future__ import annotations

import logging

from twinkle_jupyter.errors import NotFoundError, TwinkleError
from twinkle_jupyter.runs.base_model_wishes import read_base_model
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.clients.sessions import Sessions
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SessionRow

_LOGGER = logging.getLogger(__name__)


class SessionKeeper:
    """Looks for sessions that are over.

    Args:
        parts: Of the service.
        sessions: Everybody's.
        adapters: That clients train.
    """

    def __init__(self, parts: ServiceParts, sessions: Sessions, adapters: ClientAdapters) -> None:
        self._parts = parts
        self._sessions = sessions
        self._adapters = adapters

    async def look(self) -> None:
        """Put away what belongs to sessions that have ended or been silent for long."""
        for session in await self._sessions.list_over(self._parts.config.sessions.timeout_s):
            theirs = await self._adapters.of_session(session.owner, session.session_id)
            if all([await self._put_away(row) for row in theirs]):
                await self._sessions.put_away(session)
                _log_end(session, len(theirs))

    async def _put_away(self, row: ClientAdapterRow) -> bool:
        """Return whether the adapter is in no slot; false where that is to be tried again."""
        model = await read_base_model(self._parts.store, row.base_model)
        if model is None or model.phase != "ready":
            return False  # asking for it would load it
        try:
            return await self._adapters.put_away(row)
        except NotFoundError:
            return True
        except TwinkleError as error:
            _LOGGER.warning("model %s stays in its slot: %s", row.adapter_id, error)
            return False


def _log_end(session: SessionRow, num_adapters: int) -> None:
    how = session.finished or "silence"
    _LOGGER.info("session %s is over (%s); %d put away", session.session_id, how, num_adapters)
