"""Who has a home first, while another service comes or goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinkle_jupyter.client.discovery import Connection, write_connection
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ConflictError
from twinkle_jupyter.launch import service_place
from twinkle_jupyter.launch.lease import Lease
from twinkle_jupyter.launch.service_place import ServicePlace


@pytest.fixture
def config(tmp_path: Path) -> ServiceConfig:
    return ServiceConfig.load(None, home=tmp_path / "twinkle")


@pytest.fixture
def other(config: ServiceConfig) -> Iterator[Lease]:
    lease = Lease.take(config.lock_path)
    assert lease is not None
    yield lease
    lease.release()


@pytest.mark.usefixtures("other")
def test_a_service_that_is_announced_is_not_waited_for(
    config: ServiceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_place, "_TAKE_S", 0.0)
    write_connection(Connection("http://127.0.0.1:9", "tml-x", os.getpid()))

    with pytest.raises(ConflictError, match=rf"is running already \(process {os.getpid()}\)"):
        ServicePlace.take_first(config)


@pytest.mark.usefixtures("other")
def test_a_home_whose_holder_cannot_be_read_is_not_waited_for_without_end(
    config: ServiceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_place, "_SETTLE_S", 0.2)
    config.lock_path.write_text("?")

    with pytest.raises(ConflictError, match=r"is running already \(another process\)"):
        ServicePlace.take_first(config)


@pytest.mark.usefixtures("other")
def test_a_service_that_goes_on_without_a_word_is_not_waited_for_without_end(
    config: ServiceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_place, "_SETTLE_S", 0.2)

    with pytest.raises(ConflictError, match="is running already"):
        ServicePlace.take_first(config)


def test_a_service_that_is_being_ended_is_waited_for(
    config: ServiceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = Lease.take(config.lock_path)
    assert ending is not None
    monkeypatch.setattr(service_place, "_TAKE_S", 0.0)
    looks: list[int] = []

    def look(pid: int) -> bool:
        looks.append(pid)
        if len(looks) == 3:
            ending.release()
        return False

    monkeypatch.setattr(service_place, "is_announced", look)

    place = ServicePlace.take_first(config)

    assert place.is_first
    assert looks == [os.getpid()] * 3
    place.release()
