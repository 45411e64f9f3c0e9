"""The client over real sockets, and the errors that a program sees."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.client import client as client_module
from twinkle_jupyter.client.client import Client, connect
from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.client.run import Run
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import (
    ConflictError,
    InvalidConfigError,
    InvalidDataError,
    NotAllowedError,
    NotFoundError,
    RunFailedError,
    ServiceUnavailableError,
)
from twinkle_jupyter.runs.events import StateChanged, StepDone

STEP = {"learning_rate": 1e-3, "grad_norm": 1.0, "num_tokens": 9, "num_supervised": 4}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveService]:
    with LiveService(tmp_path / "home") as service:
        yield service


@pytest.fixture
def client(live: LiveService) -> Iterator[Client]:
    with connect() as opened:
        yield opened


def test_a_run_is_started_seen_and_steered(client: Client) -> None:
    run = client.start_run(RunConfig(adapter="pirate", steps=3), RECORDS)
    assert client.start_run(RunConfig(adapter="pirate", steps=3), RECORDS) == run
    assert (client.runs(), client.run("pirate")) == ([run], run)
    wanted = [call("pirate").wanted for call in (client.pause, client.resume, client.stop)]
    assert wanted == ["paused", "running", "stopped"]
    assert client.service().num_active_runs == 1
    assert [adapter.name for adapter in client.adapters()] == ["pirate"]


def test_errors_of_the_service_are_the_same_here(client: Client) -> None:
    client.start_run({"adapter": "pirate", "steps": 3}, RECORDS)
    with pytest.raises(InvalidConfigError, match=r"^`rank=0` is not at least 1\. Nothing was"):
        client.start_run({"rank": 0}, RECORDS)
    with pytest.raises(InvalidDataError, match="is empty"):
        client.start_run({"adapter": "x"}, [])
    with pytest.raises(ConflictError, match="Adapter 'pirate' is being trained"):
        client.start_run({"adapter": "pirate", "steps": 4}, RECORDS)
    with pytest.raises(ConflictError, match="Adapter 'pirate' is being trained"):
        client.delete_adapter("pirate")
    with pytest.raises(NotFoundError, match="There is no run or adapter 'no such/run'"):
        client.run("no such/run")
    with pytest.raises(ServiceUnavailableError, match="still being loaded"):
        list(client.sample("base", [{"role": "user", "content": "Hi"}]))
    with pytest.raises(InvalidConfigError, match="`temperature=-1` is not at least 0") as caught:
        list(client.sample("base", [{"role": "user", "content": "Hi"}], temperature=-1))
    assert caught.value.code == "invalid_request"


def test_a_wrong_key_is_one_sentence(live: LiveService) -> None:
    wrong = Connection(live.connection.url, "tml-wrong")
    with (
        Client(wrong) as client,
        pytest.raises(NotAllowedError, match=f"{wrong.address} does not take this API key"),
    ):
        client.service()


def test_a_service_that_does_not_run_is_one_sentence() -> None:
    with pytest.raises(ServiceUnavailableError, match=r"is not running\..*`%twinkle start`"):
        connect()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        Client(Connection(f"http://127.0.0.1:{port}", "tml-x", pid=1)) as client,
        pytest.raises(
            ServiceUnavailableError,
            match=rf"^The training service at 127\.0\.0\.1:{port} is not running\. Your runs are",
        ),
    ):
        client.service()
    with (
        Client(Connection(f"http://127.0.0.1:{port}", "tml-x")) as client,
        pytest.raises(ServiceUnavailableError, match=r"is not running\. `TWINKLE_URL` names it"),
    ):
        client.service()


def test_a_service_that_hangs_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with Client(Connection(f"http://127.0.0.1:{port}", "tml-x")) as client:
            monkeypatch.setattr(client_module, "ANSWER_S", 0.6)
            with pytest.raises(ServiceUnavailableError, match="did not answer within 1 s"):
                client.service()


def test_another_program_on_that_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"

        def answer() -> None:
            taken, _ = other.accept()
            with taken:
                taken.recv(65536)
                taken.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\noops")

        thread = threading.Thread(target=answer)
        thread.start()
        with (
            Client(Connection(f"http://{address}", "tml-x")) as client,
            pytest.raises(ServiceUnavailableError, match=f"{address} .status 404. is no training"),
        ):
            client.service()
        thread.join(10)


def test_calls_find_a_service_that_came_back_on_another_port(tmp_path: Path) -> None:
    with LiveService(tmp_path / "home") as first:
        client = connect()
        run = client.start_run({"adapter": "pirate", "steps": 3}, RECORDS)
    with LiveService(tmp_path / "home") as second:
        assert second.connection.url != first.connection.url
        assert client.run("pirate") == run
        client.close()


def test_a_held_run_tells_state_and_history(live: LiveService, client: Client) -> None:
    body = client.start_run(
        {
            "adapter": "pirate <b>",
        }
        | {"adapter": "pirate"},
        RECORDS,
    )
    run = client.hold("pirate")
    assert isinstance(run, Run)
    live.change(body.run_id, state="running", step=2, total_steps=3, loss=0.5)
    live.append(
        body.run_id,
        *(StepDone(step=step, loss=1.0 / step, seconds=0.1, **STEP) for step in (1, 2)),  # type: ignore[arg-type]
    )
    assert (run.state, run.step, run.is_over) == ("running", 2, False)
    history = run.history
    assert not isinstance(history, list)
    assert history["loss"].tolist() == [1.0, 0.5]
    assert "2 of 3" in run._repr_mimebundle_()["text/html"]
    adapter = client.adapter("pirate")
    assert (adapter.rank, adapter.run.run_id) == (8, run.run_id)
    assert "base model" in adapter._repr_mimebundle_()["text/html"]
    assert "`%twinkle adapters`" in client.adapter("nobody")._repr_mimebundle_()["text/plain"]
    assert run.pause()._body.wanted == "paused"


def test_waiting_ends_with_the_run_or_with_its_time(live: LiveService, client: Client) -> None:
    body = client.start_run({"adapter": "pirate"}, RECORDS)
    run = client.hold("pirate")
    with pytest.raises(TimeoutError, match=f"Run {body.run_id} is queued after 0.2 s"):
        run.wait(timeout_s=0.2)
    live.append(body.run_id, StateChanged(state="failed", step=3, reason="The loss is nan."))
    with pytest.raises(RunFailedError, match=r"failed: The loss is nan\."):
        run.wait(timeout_s=10)
