"""Where the service is: arguments, environment, connection file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from twinkle_jupyter.client.discovery import (
    FILE_NAME,
    Connection,
    find_connection,
    remove_connection,
    write_connection,
)
from twinkle_jupyter.errors import InvalidConfigError, NotAllowedError


def _ours(url: str = "http://127.0.0.1:8765") -> Connection:
    return Connection(url, "tml-secret", os.getpid(), "0.1.0")


def test_what_is_written_is_found_by_its_owner_only(runtime_dir: Path) -> None:
    assert find_connection() is None
    path = write_connection(_ours())
    assert path == runtime_dir / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_connection() == _ours()
    assert list(runtime_dir.iterdir()) == [path]  # no draft stays


def test_arguments_come_before_environment_and_environment_before_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_connection(_ours())
    monkeypatch.setenv("TWINKLE_URL", "http://env:1/")
    monkeypatch.setenv("TWINKLE_API_KEY", "tml-env")
    assert find_connection() == Connection("http://env:1", "tml-env")
    assert find_connection("http://named:2", "tml-named") == Connection(
        "http://named:2", "tml-named"
    )


def test_on_a_hub_its_service_is_found_with_the_servers_own_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_connection(_ours())
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-server")
    assert find_connection() == _ours(), "no service is named by this Hub"
    monkeypatch.setenv("TWINKLE_HUB_SERVICE_URL", "http://hub:1/services/twinkle/")
    found = find_connection()
    assert found == Connection("http://hub:1/services/twinkle", "of-the-server", is_of_hub=True)
    monkeypatch.setenv("TWINKLE_URL", "http://elsewhere:2")
    with pytest.raises(InvalidConfigError, match="There is no API key"):
        find_connection()  # the Hub's token goes nowhere else


def test_an_address_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_URL", "http://env:1")
    with pytest.raises(InvalidConfigError, match=r"no API key for .* at http://env:1\."):
        find_connection()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(mode: int) -> None:
    write_connection(_ours()).chmod(mode)
    with pytest.raises(NotAllowedError, match=f"open to other users .mode {mode:04o}"):
        find_connection()


def test_a_file_of_another_user_is_refused() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(write_connection(_ours()), 12345, -1)
    with pytest.raises(NotAllowedError, match=r"belongs to another user .uid 12345"):
        find_connection()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": "http://127.0.0.1:1"}'])
def test_a_broken_file_is_as_good_as_none(text: str) -> None:
    write_connection(_ours()).write_text(text)
    assert find_connection() is None


def test_a_file_whose_process_is_gone_is_as_good_as_none() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(timeout=30)
    write_connection(Connection("http://127.0.0.1:1", "tml-x", gone.pid, ""))
    assert find_connection() is None


def test_only_the_own_file_is_removed() -> None:
    write_connection(_ours())
    remove_connection(os.getpid() + 1)
    assert find_connection() == _ours()
    remove_connection(os.getpid())
    remove_connection(os.getpid())
    assert find_connection() is None


def test_a_key_is_not_in_the_repr() -> None:
    assert "tml-secret" not in repr(_ours())
