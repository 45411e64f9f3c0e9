"""The client of a kernel or a command: made when needed, kept while the service is the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.client.discovery import Connection
    from twinkle_jupyter.notebook.session import Face

#: What the compute side gets until it is ready: a first use may fetch and convert the base model.
READY_S = 900.0
POLL_S = 0.2


class ServiceLink:
    """Gives the client of the running service, or starts one."""

    def __init__(self) -> None:
        self._client: Client | None = None

    def find(self) -> Client | None:
        """Return the client of the service that says it runs, None where none says so."""
        from twinkle_jupyter.client.discovery import find_connection

        connection = find_connection()
        return None if connection is None else self._client_of(connection)

    def running(self) -> Client:
        """Return the client of a running service.

        Raises:
            ServiceUnavailableError: None is running.
        """
        client = self.find()
        if client is None:
            raise ServiceUnavailableError(
                "The training service is not running.", "Start it with `%twinkle start`."
            )
        return client

    def started(self, face: Face) -> Client:
        """Return the client of a service that answers, starting one where none does."""
        client = self.find()
        if client is not None and _answers(client):
            return client
        from twinkle_jupyter.notebook.start_service import start_service

        with face.progress() as say:
            return self._client_of(start_service(say))

    def ready(self, face: Face) -> Client:
        """Return the client of a service that can compute, showing what it is waited for.

        Raises:
            ServiceUnavailableError: It says that it failed, or takes too long.
        """
        client = self.started(face)
        with face.progress() as say:
            deadline = time.monotonic() + READY_S
            while (service := client.service()).phase != "ready":
                if service.phase == "failed":
                    raise ServiceUnavailableError(service.message, "`%twinkle log` shows why.")
                if time.monotonic() > deadline:
                    raise ServiceUnavailableError(
                        f"The training service was not ready within {READY_S / 60:.0f} minutes.",
                        "`%twinkle log` shows what it is doing.",
                    )
                say(service.message or "Starting")
                time.sleep(POLL_S)
        return client

    def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def _client_of(self, connection: Connection) -> Client:
        from twinkle_jupyter.client.client import Client

        if self._client is None or connection != self._client.connection:
            # What cells hold goes on with the old one, which opens its connections again.
            self.close()
            self._client = Client(connection)
        return self._client


def _answers(client: Client) -> bool:
    try:
        client.service()
    except ServiceUnavailableError:
        return False
    return True
