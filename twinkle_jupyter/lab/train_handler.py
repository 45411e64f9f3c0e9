"""`POST train`: a run on a file of the Jupyter server, which streams from there to the service.

The file is one that Jupyter's own contents API would show. It is read twice, so that a file of any
size takes little memory and a bad row is named before anything is sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado.web import HTTPError, authenticated

from twinkle_jupyter.datasets.record_checks import raise_faults
from twinkle_jupyter.datasets.records import convert_row, place_rows
from twinkle_jupyter.datasets.run_rows import check_rows, kind_of_rows
from twinkle_jupyter.errors import (
    InvalidConfigError,
    InvalidDataError,
    NotFoundError,
    TwinkleError,
)
from twinkle_jupyter.lab.handlers import TwinkleHandler, not_running
from twinkle_jupyter.lab.upstream import CONNECT_S, authorization

#: To send and check a large file, in seconds.
UPLOAD_S = 300.0
_ROWS_AT_ONCE = 256


class TrainHandler(TwinkleHandler):
    """Starts a run with `{"path": of the contents API, "config": RunConfig}`; answers `Run`."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Check the file, send it, and pass on what the service says."""
        import httpx

        try:
            path, config = self._read_body()
            file = await self._find_file(path)
            loss = str(config.get("loss", "cross_entropy"))
            await asyncio.to_thread(_check, file, path, loss)
            connection, service = self.upstream.connection(), await self.upstream.service()
            if connection is None or service is None:
                raise not_running()
            # What it has loaded, if nothing else is asked for.
            names = cast("list[str]", service.get("base_models") or [])
            config = ({"base_model": names[0]} if names else {}) | config
            answer = await self.upstream.client.post(
                f"{connection.url}/api/v1/runs",
                content=_body(file, path, config, loss),
                headers={**authorization(connection), "Content-Type": "application/json"},
                timeout=httpx.Timeout(UPLOAD_S, connect=CONNECT_S),
            )
        except TwinkleError as error:
            await self.fail(error)
        except httpx.TransportError:
            await self.fail(not_running())
        else:
            self.set_status(answer.status_code)
            await self.finish(answer.content)

    def _read_body(self) -> tuple[str, dict[str, object]]:
        body = self.get_json_body()
        fields = body if isinstance(body, dict) else {}
        path, config = fields.get("path"), fields.get("config")
        if not isinstance(path, str) or not path or not isinstance(config, dict):
            raise InvalidConfigError("`path` and `config` are needed: a file, and settings.")
        return path, cast("dict[str, object]", config)

    async def _find_file(self, path: str) -> Path:
        """Return where a file of the contents API lies; others are not there."""
        manager = self.contents_manager
        place = getattr(manager, "_get_os_path", None)
        if place is None:
            raise InvalidDataError(
                "The files of this Jupyter server are not on its disk.",
                "`%twinkle train` takes them in a cell, as a DataFrame for example.",
            )
        try:
            is_hidden = await ensure_async(cast("bool", manager.is_hidden(path)))  # type: ignore[no-untyped-call]
            file = Path(place(path))
        except (HTTPError, ValueError) as error:
            raise NotFoundError(f"There is no file `{path}` here.") from error
        is_there = await asyncio.to_thread(file.is_file)
        if (is_hidden and not manager.allow_hidden) or not is_there:
            raise NotFoundError(f"There is no file `{path}` here.")
        return file


def _check(file: Path, name: str, loss: str) -> None:
    """Read the whole file and keep nothing of it; raises for rows that cannot be learned from."""
    faults: list[str] = []
    for row in place_rows(file, name)[1]:
        faults += convert_row(row, kind_of_rows(loss))[2]
    raise_faults(name, faults)


async def _body(
    file: Path, name: str, config: dict[str, object], loss: str
) -> AsyncIterator[bytes]:
    """Yield the request's body; rows are read on a thread, some at a time."""
    yield f'{{"config": {json.dumps(config)}, "records": ['.encode()
    rows, separator = _records(file, name, loss), ""
    while some := await asyncio.to_thread(lambda: list(islice(rows, _ROWS_AT_ONCE))):
        yield (separator + ", ".join(some)).encode()
        separator = ", "
    yield b"]}"


def _records(file: Path, name: str, loss: str) -> Iterator[str]:
    for row in place_rows(file, name)[1]:
        _, record, faults = convert_row(row, kind_of_rows(loss))
        raise_faults(name, faults)  # it may have changed since it was checked
        yield json.dumps(check_rows([record], loss)[0])
