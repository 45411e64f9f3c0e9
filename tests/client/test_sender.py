"""Requests of several threads to a service that goes and comes back elsewhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.live_service import LiveService
from twinkle_jupyter.client.client import Client, connect
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.errors import ServiceUnavailableError

HI = [{"role": "user", "content": "Hi"}]
BEGIN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'event: delta\ndata: {"text": "A", "version": null}\n\n'
)
END = (
    b'event: done\ndata: {"version": null, "finish_reason": "stop", '
    b'"num_prompt_tokens": 1, "num_tokens": 1}\n\n'
)


class EndingService:
    """Begins to answer one request, listens to nobody else, and ends the answer when told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connection = Connection(
            f"http://127.0.0.1:{self._listener.getsockname()[1]}", "tml-x", pid=1
        )
        self.end = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener:
            taken, _ = self._listener.accept()
        with taken:
            taken.recv(65536)
            taken.sendall(BEGIN)
            assert self.end.wait(20)
            taken.sendall(END)

    def join(self) -> None:
        self._thread.join(20)


@pytest.fixture
def ending() -> Iterator[EndingService]:
    service = EndingService()
    yield service
    service.end.set()
    service.join()


def test_a_closed_client_opens_again_where_the_service_is(tmp_path: Path) -> None:
    with LiveService(tmp_path / "home") as first:
        client = connect()
        assert client.connection == first.connection
        client.close()
        client.close()
        assert client.runs() == []
        client.close()
    with pytest.raises(ServiceUnavailableError, match=r"is not running\. .*`%twinkle start`"):
        client.runs()
    with LiveService(tmp_path / "home") as second:
        assert client.runs() == []
        assert client.connection == second.connection
        client.close()


def test_who_finds_the_service_elsewhere_takes_no_answer_from_another(
    tmp_path: Path, ending: EndingService
) -> None:
    client = Client(ending.connection)
    parts = client.sample("base", HI)
    assert next(parts).text == "A"
    with LiveService(tmp_path / "home") as service:
        assert client.runs() == []
        assert client.connection == service.connection
        client.close()
        ending.end.set()
        assert [part.finish_reason for part in parts] == ["stop"]


def test_threads_that_notice_together_are_all_answered(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client, together = Client(Connection(url, "tml-x", pid=1)), threading.Barrier(8)

    def ask(_: int) -> object:
        together.wait(20)
        return client.runs()

    with LiveService(tmp_path / "home"), ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [[]] * 8
        client.close()


def test_a_question_finds_a_service_that_came_back_on_another_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (
        LiveService(tmp_path / "home"),
        Client(Connection(url, "tml-x", pid=1)) as client,
        pytest.raises(ServiceUnavailableError, match="still being loaded"),
    ):
        next(client.sample("base", HI))
