"""What the service asks of the JupyterHub around it: whose token this is, which users there are.

An answer that is none raises: only a Hub that says so makes a token or a user unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

import httpx

from twinkle_jupyter.config.hub_section import HubSection
from twinkle_jupyter.errors import ForbiddenError, ServiceUnavailableError

#: One answer, in seconds; the Hub has one thread.
ANSWER_S = 5.0
_CONNECT_S = 2.0
#: Users of one page, and as many pages as anybody could need.
_PAGE = 200
_MAX_PAGES = 1000
_SEES_ALL = frozenset({"list:users", "read:users:name"})
_PAGED = "application/jupyterhub-pagination+json"


@dataclass(frozen=True, slots=True)
class HubUser:
    """A user as the Hub tells them; of another kind, such as a service, `is_user` is false."""

    name: str
    groups: frozenset[str] = frozenset()
    #: Of the token that was asked about; none where a name was.
    scopes: frozenset[str] = frozenset()
    is_user: bool = True


class HubApi:
    """Asks one Hub, with the service's own token or with that of a user.

    Args:
        section: Where its API is, and the service's token.
    """

    def __init__(self, section: HubSection) -> None:
        self._url = (section.api_url or "").rstrip("/")
        token = section.api_token
        self._token = token.get_secret_value() if token is not None else ""
        self._http: httpx.AsyncClient | None = None

    async def user_of_token(self, token: str) -> HubUser | None:
        """Return whose token it is; None where the Hub knows no such token.

        Raises:
            ServiceUnavailableError: The Hub does not answer, and so below.
        """
        answer = await self._get("/user", token)
        # It says 403 of a token that it does not know, as of one that may not ask.
        if _says(answer, 401, 403):
            return None
        return _user_of(_body_of(answer))

    async def user_of_name(self, name: str) -> HubUser | None:
        """Return the user of this name; None where the Hub says that there is none."""
        answer = await self._get(f"/users/{quote(name, safe='')}", self._token)
        return None if _says(answer, 404) else _user_of(_body_of(answer))

    async def list_names(self) -> frozenset[str]:
        """Return the names of all users, whole: one that is cut short raises.

        Raises:
            ForbiddenError: The service may not see all of them.
        """
        await self._check_sees_all()
        names: set[str] = set()
        offset = 0
        for _ in range(_MAX_PAGES):
            answer = await self._get(f"/users?offset={offset}&limit={_PAGE}", self._token, _PAGED)
            body = _body_of(answer)
            items, paging = body.get("items"), body.get("_pagination")
            if not isinstance(items, list) or not isinstance(paging, dict):
                break
            names |= {_user_of(cast("Mapping[str, object]", item)).name for item in items}
            following = paging.get("next")
            if following is None:
                if len(names) == paging.get("total"):
                    return frozenset(names)
                break
            offset = int(cast("Mapping[str, int]", following)["offset"])
        raise ServiceUnavailableError(
            f"The JupyterHub listed {len(names)} users, and these are not all.",
            "It is asked again later.",
        )

    async def _check_sees_all(self) -> None:
        """See that no user is merely out of sight; raises ForbiddenError."""
        own = await self.user_of_token(self._token)
        lacking = _SEES_ALL - (own.scopes if own is not None else frozenset())
        if lacking:
            raise ForbiddenError(
                f"The service's own Hub token has not {' and '.join(sorted(lacking))}.",
                "A role of the Hub gives them to the service, without a filter.",
            )

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _get(self, path: str, token: str, accept: str = "application/json") -> httpx.Response:
        if self._http is None:
            timeout = httpx.Timeout(ANSWER_S, connect=_CONNECT_S)
            # No proxy of the environment stands between a Hub and its service.
            self._http = httpx.AsyncClient(timeout=timeout, trust_env=False)
        headers = {"Authorization": f"token {token}", "Accept": accept}
        try:
            return await self._http.get(f"{self._url}{path}", headers=headers)
        except httpx.HTTPError as error:
            raise _no_answer(type(error).__name__) from None


def _body_of(answer: httpx.Response) -> Mapping[str, object]:
    try:
        body = answer.json() if answer.status_code == 200 else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _no_answer(f"answered {answer.status_code}")
    return body


def _says(answer: httpx.Response, *statuses: int) -> bool:
    """Whether the Hub itself says one of these, and not something on the way to it."""
    if answer.status_code not in statuses:
        return False
    try:
        body = answer.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("status") == answer.status_code


def _user_of(body: Mapping[str, object]) -> HubUser:
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise _no_answer("named nobody")
    return HubUser(
        name,
        groups=frozenset(map(str, cast("list[str]", body.get("groups") or []))),
        scopes=frozenset(map(str, cast("list[str]", body.get("scopes") or []))),
        is_user=body.get("kind", "user") == "user",
    )


def _no_answer(how: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"The JupyterHub cannot say who this is ({how}).", "Try again in a moment."
    )
