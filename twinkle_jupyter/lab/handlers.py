"""The extension's HTTP routes: the service's life, and an authenticated way to its API.

Every verb asks Jupyter who is there and whether they may. The API key stays on this side.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from twinkle_jupyter.errors import (
    ConflictError,
    InvalidDataError,
    NotFoundError,
    ServiceUnavailableError,
    TwinkleError,
)
from twinkle_jupyter.lab.service_process import ServiceProcess
from twinkle_jupyter.lab.upstream import ServiceBody, Upstream, authorization

if TYPE_CHECKING:
    import httpx

#: What Jupyter's authorizer is asked about.
AUTH_RESOURCE = "twinkle"

#: What a browser asks of a run is short; data sets go to the service directly.
MAX_BODY_BYTES = 8 * 2**20

#: Segments of ids and names only: no `..`, no `//`, no encoded slash, no other host. The ids of
#: what clients of other protocols train have colons.
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._:-]*)*")
#: Jupyter's own secrets in a query, which are none of the service's business.
_JUPYTER_QUERY = frozenset({"token", "_xsrf"})
_STATUS = {
    "not_allowed": 401,
    "forbidden": 403,
    "conflict": 409,
    "invalid_config": 422,
    "invalid_data": 422,
    "missing_dependency": 422,
    "not_found": 404,
    "service_unavailable": 503,
}
_PASSED_ON = ("Content-Type", "Retry-After", "Cache-Control")


class TwinkleHandler(APIHandler):
    """What the routes share: the service process, the way to the service, the error body."""

    auth_resource = AUTH_RESOURCE

    @property
    def upstream(self) -> Upstream:
        """The way to the service."""
        found: Upstream = self.settings["twinkle_upstream"]
        return found

    @property
    def process(self) -> ServiceProcess:
        """The process that this extension keeps."""
        found: ServiceProcess = self.settings["twinkle_process"]
        return found

    async def service(self) -> ServiceBody:
        """Return `Service`: its own words if it answers, else what we know of it."""
        said = await self.upstream.service()
        return said if said is not None else self.process.as_body()

    async def fail(self, error: TwinkleError, status: int | None = None) -> None:
        """Answer with the error body, and the status of its kind unless another is given."""
        self.set_status(status or _STATUS.get(error.code, 400))
        if isinstance(error, ServiceUnavailableError):
            self.set_header("Retry-After", "1")
        await self.finish({"error": error.as_fields()})


class ServiceHandler(TwinkleHandler):
    """`GET service`: how the service is; never starts one."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer with `Service`."""
        await self.finish(dict(await self.service()))


class ServiceStartHandler(TwinkleHandler):
    """`POST service/start`: start one unless it runs; answers at once."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Start and answer with `Service`."""
        self.process.start()
        await self.finish(dict(await self.service()))


class ServiceStopHandler(TwinkleHandler):
    """`POST service/stop`: end it, also one that this server adopted."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Stop and answer with `Service`."""
        try:
            await self.process.stop(adopted=True)
        except ConflictError as error:
            await self.fail(error)
            return
        await self.finish(dict(await self.service()))


class ProxyHandler(TwinkleHandler):
    """`api/…`: the same path under the service's `/api/v1/`, with the key added."""

    _relaying: asyncio.Task[None] | None = None

    @authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Pass on a GET."""
        await self._pass_on(path)

    @authenticated
    @authorized
    async def post(self, path: str) -> None:
        """Pass on a POST with its body."""
        await self._pass_on(path)

    @authenticated
    @authorized
    async def put(self, path: str) -> None:
        """Pass on a PUT with its body."""
        await self._pass_on(path)

    @authenticated
    @authorized
    async def delete(self, path: str) -> None:
        """Pass on a DELETE."""
        await self._pass_on(path)

    def on_connection_close(self) -> None:
        """End the stream from the service when the browser has gone."""
        if self._relaying is not None:
            self._relaying.cancel()

    async def _pass_on(self, path: str) -> None:
        if not _PATH.fullmatch(path):
            await self.fail(NotFoundError(f"There is no route {path!r}."))
            return
        try:
            connection = self.upstream.connection()
        except TwinkleError as error:
            await self.fail(error)
            return
        if connection is None:
            await self.fail(not_running())
            return
        if len(self.request.body) > MAX_BODY_BYTES:
            limit = MAX_BODY_BYTES // 2**20
            await self.fail(InvalidDataError(f"The request is larger than {limit} MiB."), 413)
            return
        query = parse_qsl(self.request.query, keep_blank_values=True)
        headers = authorization(connection)
        for name in ("Content-Type", "Last-Event-ID"):
            if name in self.request.headers:
                headers[name] = self.request.headers[name]
        request = self.upstream.client.build_request(
            self.request.method or "GET",
            f"{connection.url}/api/v1/{path}",
            params=[pair for pair in query if pair[0] not in _JUPYTER_QUERY],
            headers=headers,
            content=self.request.body,
        )
        self._relaying = self.upstream.own(self._relay(request), "twinkle-proxy")
        await asyncio.wait({self._relaying})
        if not self._relaying.cancelled():
            self._relaying.result()

    async def _relay(self, request: httpx.Request) -> None:
        import httpx

        try:
            answer = await self.upstream.open(request)
        except httpx.TransportError:
            await self.fail(not_running())
            return
        try:
            self.set_status(answer.status_code)
            for name in _PASSED_ON:
                if name in answer.headers:
                    self.set_header(name, answer.headers[name])
            await self._copy_body(answer)
        except httpx.TransportError:
            self.log.warning("twinkle: the service went away during an answer")
        except StreamClosedError:
            return
        finally:
            await answer.aclose()
        if not self._finished:
            kind = answer.headers.get("Content-Type", "application/json")
            await self.finish(set_content_type=kind)

    async def _copy_body(self, answer: httpx.Response) -> None:
        """Copy chunk by chunk: a stream of events arrives as it is sent."""
        if answer.status_code == 204:
            return
        async for chunk in answer.aiter_bytes():
            self.write(chunk)
            await self.flush()


def not_running() -> ServiceUnavailableError:
    """Return the error for a request while no service answers."""
    return ServiceUnavailableError(
        "The training service is not running.", "Start it in the sidebar or with `%twinkle start`."
    )
