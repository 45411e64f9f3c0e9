"""A JupyterHub's API as far as the service asks it, which can fail in ways a real one rarely does.

What it answers is what JupyterHub 6.1 does; `tests/journeys/test_jupyterhub.py` asks a real one.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from fastapi import FastAPI, Request, Response

from tests.served_app import served

SERVICE_TOKEN = "of-the-service"  # noqa: S105 - of no Hub
USE, ADMIN = "custom:twinkle:use", "custom:twinkle:admin"


@dataclass
class JupyterHubStandIn:
    """Users with their groups, and tokens with their owner and scopes."""

    users: dict[str, list[str]] = field(default_factory=dict)
    tokens: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    service_scopes: list[str] = field(default_factory=lambda: ["list:users", "read:users:name"])
    #: What it answers in the place of everything else; 0 for nothing.
    broken: int = 0
    #: Users that a list leaves out at its end.
    num_cut: int = 0
    #: Seconds until an answer.
    slow_s: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self._served = served(self._app())
        self.url = f"{self._served.__enter__()}/hub/api"
        return self

    def __exit__(self, *_: object) -> None:
        self._served.__exit__(None, None, None)

    def _app(self) -> FastAPI:
        app = FastAPI()
        app.get("/hub/api/{path:path}")(self._answer)
        return app

    async def _answer(self, path: str, request: Request) -> Response:
        self.asked[path] += 1
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self.broken:
            return Response("<html>a proxy's own page</html>", self.broken)
        token = request.headers["authorization"].removeprefix("token ")
        if path == "user":
            return self._whoami(token)
        if token != SERVICE_TOKEN:
            return _said(403)
        if path == "users":
            return self._list(int(request.query_params["offset"]))
        name = path.removeprefix("users/")
        if name not in self.users:
            return _said(404)
        return Response(json.dumps({"kind": "user", "name": name, "groups": self.users[name]}))

    def _whoami(self, token: str) -> Response:
        if token == SERVICE_TOKEN:
            body: dict[str, object] = {"kind": "service", "name": "twinkle"}
            return Response(json.dumps({**body, "scopes": self.service_scopes}))
        if token not in self.tokens or self.tokens[token][0] not in self.users:
            return _said(403)
        name, scopes = self.tokens[token]
        body = {"kind": "user", "name": name, "groups": self.users[name], "scopes": scopes}
        return Response(json.dumps(body))

    def _list(self, offset: int) -> Response:
        """Give two users a page."""
        names = sorted(self.users)
        shown = names[: len(names) - self.num_cut][offset : offset + 2]
        has_more = offset + 2 < len(names) - self.num_cut
        paging = {"total": len(names), "next": {"offset": offset + 2} if has_more else None}
        items = [{"kind": "user", "name": name} for name in shown]
        return Response(json.dumps({"items": items, "_pagination": paging}))


def _said(status: int) -> Response:
    return Response(json.dumps({"status": status, "message": None}), status)
