"""The service below the path at which a proxy in front has it, such as a JupyterHub's."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class UnderPrefix:
    """ASGI middleware: takes the prefix off a path that has it, and has links begin with it.

    A path without it is answered, too: who watches the service, or shares a network with it, comes
    by no proxy.

    Args:
        app: What is below.
        prefix: Begins and ends with a slash.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on as the service's own path."""
        path, root = scope.get("path", ""), self._prefix.rstrip("/")
        # Each time that it is there: routes are found by what is behind all of them, and so must
        # be what stands before the routes.
        while root and f"{path}/".startswith(self._prefix):
            path = path.removeprefix(root) or "/"
            scope = {**scope, "path": path, "root_path": root}
        await self._app(scope, receive, send)
