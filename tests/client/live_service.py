"""The real service on a real socket, in a thread of this process; it can go and come back."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self, TypeVar

import uvicorn
from fastapi import FastAPI

from twinkle_jupyter.client.discovery import Connection, remove_connection, write_connection
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import STARTING, ServiceUnavailableError
from twinkle_jupyter.launch.base_model_check import check_base_model
from twinkle_jupyter.runs.events import RunEvent
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.service.adapter_files import AdapterFiles
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.parts import ServedModel
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.store.sqlite import SqliteStore
from twinkle_jupyter.templates.chat_template import ChatTemplate

T = TypeVar("T")

RECORDS = [
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Arr ☠"}]}
]


class LiveService:
    """One service from `__enter__` to `__exit__`, known by its connection file.

    Args:
        home: Folder of its state; another service may go on with it.
        model: Folder of a base model to load for sampling; None for none.
        adapter_files: Writes exports and reads imports; None for none.
        settings: More of the service's.
    """

    app: FastAPI
    store: SqliteStore
    #: None while the base model is being loaded.
    compute: ServedModel | None = None
    connection: Connection

    def __init__(
        self,
        home: Path,
        model: Path | None = None,
        adapter_files: AdapterFiles | None = None,
        **settings: object,
    ) -> None:
        self.config = ServiceConfig.load(None, home=home, base_model="tiny", **settings)
        self._model = model
        self._adapter_files = adapter_files
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    @property
    def model_folder(self) -> Path:
        """Folder of the base model that it was given."""
        assert self._model is not None
        return self._model

    @property
    def num_requests(self) -> int:
        """Requests that are being answered at this moment."""
        return len(self._server.server_state.tasks)

    def __exit__(self, *_: object) -> None:
        remove_connection(os.getpid())
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Run something on the service's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def append(self, run_id: str, *events: RunEvent) -> None:
        """Let a run's log grow, as its driver would."""
        for event in events:
            self.call(self.store.append(RunRow.log(run_id), event.to_entry()))

    def change(self, run_id: str, **changes: object) -> None:
        """Change a run's row, as its driver would."""

        def change(row: Row | None) -> Row:
            assert row is not None
            return RunRow.from_row(row).changed(**changes).to_row()  # type: ignore[arg-type]

        self.call(self.store.update(RunRow.key(run_id), change))

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            self.store = SqliteStore.open(self.config.store_path)
            stack.push_async_callback(self.store.close)
            if self._model is not None:
                local = await stack.enter_async_context(
                    open_local_compute(self._model, base_model_name="tiny")
                )
                template = ChatTemplate.load(self._model)
                self.compute = ServedModel(local.trainer, local.sampler, template)
            self.app = app = create_app(
                self.store,
                self.config,
                compute=self._compute,
                check_base_model=self._check_base_model,
                adapter_files=self._adapter_files,
            )
            # Named as TCP, as the service does it: what is to be sent goes out at once.
            listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            stack.callback(listening.close)
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            settings = uvicorn.Config(
                app, http="h11", log_level="warning", timeout_graceful_shutdown=1
            )
            self._server = uvicorn.Server(settings)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            key = await create_key(self.store, "anna")
            self.connection = Connection(url, key, os.getpid(), "0.1.0")
            write_connection(self.connection)
            self._ready.set()
            await self._server.serve(sockets=[listening])

    def _check_base_model(self, name: str) -> None:
        if name != self.config.base_model:
            check_base_model(name)

    async def _compute(self, _: str) -> ServedModel:
        if self.compute is None:
            raise ServiceUnavailableError("It is still being loaded.", "Wait.", STARTING)
        return self.compute
