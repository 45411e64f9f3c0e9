"""Starting a service through the Jupyter server that is the kernel's parent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.client.live_service import LiveService
from twinkle_jupyter.client.discovery import connection_path, find_connection, write_connection
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.notebook.start_service import JupyterServer, parent_server, start_service

Routes = dict[tuple[str, str], Callable[[], object]]


@pytest.fixture
def routes() -> Routes:
    """What the Jupyter server does on a request; another one is 404, a stranger's 403."""
    return {}


@pytest.fixture
def jupyter(routes: Routes, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that wrote its address where Jupyter does; returns its URL."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Stay quiet."""

        def answer(self) -> None:
            act = routes.get((self.command, self.path))
            allowed = self.headers.get("Authorization") == "token secret"
            self.send_response(200 if act and allowed else 404 if allowed else 403)
            self.end_headers()
            if act is not None and allowed:
                self.wfile.write(json.dumps(act()).encode())

        do_GET = do_POST = answer  # noqa: N815 - the base's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/base/"
    folder = connection_path().parent
    folder.mkdir(parents=True, exist_ok=True)
    written = json.dumps({"url": url, "token": "secret"})
    (folder / "jpserver-4711.json").write_text(written, encoding="utf-8")
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_parent_is_known_by_its_file(jupyter: str) -> None:
    assert parent_server() == JupyterServer(jupyter, "secret")


@pytest.mark.parametrize("parent", ["", "4712", "x"])
def test_without_such_a_file_there_is_no_parent(
    parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", parent)

    assert parent_server() is None


@pytest.mark.usefixtures("jupyter")
def test_the_parent_is_asked_to_start_and_the_answering_service_is_taken(
    routes: Routes, tmp_path: Path
) -> None:
    said: list[str] = []
    with LiveService(tmp_path / "service") as live:
        connection_path().unlink()
        path = "/base/twinkle-jupyter/service"
        routes["GET", path] = lambda: {"phase": "starting", "message": ""}
        routes["POST", f"{path}/start"] = lambda: str(write_connection(live.connection))

        connection = start_service(said.append)

        assert connection == live.connection
        assert start_service(said.append) == connection
    assert said == ["Starting the training service"]
    assert find_connection() is None


@pytest.mark.usefixtures("jupyter")
def test_a_start_that_failed_is_told_in_the_words_of_the_log(routes: Routes) -> None:
    path = "/base/twinkle-jupyter/service"
    routes["POST", f"{path}/start"] = dict[str, object]
    routes["GET", path] = lambda: {"phase": "failed", "message": "The disk is full."}

    with pytest.raises(ServiceUnavailableError, match=r"^The disk is full\. `%twinkle log`"):
        start_service(lambda _: None)


def test_a_start_that_failed_here_is_told_in_the_words_of_the_log(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    config = private_home / "twinkle.yaml"
    config.write_text("dtpye: float32\n", encoding="utf-8")
    monkeypatch.setenv("TWINKLE_CONFIG", str(config))
    log = private_home / "twinkle" / "service.log"
    log.parent.mkdir()
    log.write_text("Something of an earlier start.\n", encoding="utf-8")

    with pytest.raises(ServiceUnavailableError, match=r"with code 2: .*`dtpye`.*\. `%twinkle log`"):
        start_service(lambda _: None)

    said = log.read_text(encoding="utf-8")
    assert said.startswith("Something of an earlier start.\n")
    assert said.endswith("[invalid_config]\n")


def test_a_home_that_cannot_be_written_is_one_sentence(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    (private_home / "twinkle").write_text("", encoding="utf-8")

    with pytest.raises(ServiceUnavailableError, match=r"cannot write its log .*: File exists"):
        start_service(lambda _: None)


def test_a_named_service_is_never_replaced_by_one_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("TWINKLE_API_KEY", "tml-x")

    with pytest.raises(ServiceUnavailableError, match=r"127\.0\.0\.1:9 does not answer"):
        start_service(lambda _: None)
