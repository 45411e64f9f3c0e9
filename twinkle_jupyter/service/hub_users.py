"""Users of a JupyterHub: known by what the Hub says of their token, never by what they say.

Their owner name begins with `hub:`. Without it, a user whom the Hub calls `local`, or as somebody
with an API key is called, would be that other one here.
"""

from __future__ import annotations

import hashlib
import re

from twinkle_jupyter.config.hub_section import HubSection
from twinkle_jupyter.errors import ForbiddenError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.hub_api import HubApi, HubUser
from twinkle_jupyter.service.remembered_answers import RememberedAnswers

OWNER_PREFIX = "hub:"
#: What a Hub token is made of; nothing else is asked about.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,200}")
#: A token that was made a moment ago is not refused for long.
_UNKNOWN_S = 2.0


class HubUsers:
    """Tells askers by their Hub tokens; what the Hub said counts for `cache_s`.

    Args:
        section: The scopes that count, and for how long.
        api: Asks the Hub.
    """

    def __init__(self, section: HubSection, api: HubApi) -> None:
        self._section = section
        self.api = api
        unknown_s = min(_UNKNOWN_S, section.cache_s)
        self._answers = RememberedAnswers[HubUser](section.cache_s, unknown_s)

    @property
    def cache_s(self) -> float:
        """How long an answer of the Hub counts."""
        return self._section.cache_s

    async def asker_of_token(self, token: str) -> Asker | None:
        """Return whose token it is; None where the Hub does not know it.

        Raises:
            ForbiddenError: The token has not the scope, or is no user's.
            ServiceUnavailableError: The Hub does not answer, and what it said is too old.
        """
        if not _TOKEN.fullmatch(token):
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        user = await self._answers.get(f"token {digest}", lambda: self.api.user_of_token(token))
        if user is None:
            return None
        if not user.is_user:
            raise ForbiddenError(
                f"This token is of the Hub's service {user.name!r}, not of a user.",
                "Train with a user's token, or with an API key.",
            )
        if self._section.use_scope not in user.scopes:
            raise ForbiddenError(
                f"This Hub token of {user.name!r} has not the scope {self._section.use_scope!r}.",
                "An admin of the Hub gives it to roles; the role `server` needs it, too.",
            )
        return Asker(
            f"{OWNER_PREFIX}{user.name}",
            user.groups,
            is_admin=self._section.admin_scope in user.scopes,
            may_make_keys=True,
        )

    async def asker_of_owner(self, asker: Asker) -> Asker | None:
        """Return the asker of an API key with the groups that they have; None when they are gone.

        One who is no user of the Hub stays as they are. A key makes nobody an admin whom it was
        not made for as one.

        Raises:
            ServiceUnavailableError: As above.
        """
        if not asker.owner.startswith(OWNER_PREFIX):
            return asker
        name = asker.owner.removeprefix(OWNER_PREFIX)
        user = await self._answers.get(f"name {name}", lambda: self.api.user_of_name(name))
        return None if user is None else Asker(asker.owner, user.groups, asker.is_admin)

    async def close(self) -> None:
        """Close the way to the Hub."""
        await self.api.close()
