"""`enable-magics`: what it writes, and that a new shell has `%twinkle` by it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebook.conftest import PlainShell
from twinkle_jupyter.errors import InvalidConfigError

_THEIRS = 'c.InteractiveShellApp.exec_lines = ["x = 1"]'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of this environment, in a folder of the test."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path / "etc" / "ipython" / "ipython_config.py"


def test_it_is_merged_once_and_taken_out_without_a_trace(shell: PlainShell, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(_THEIRS)
    config.chmod(0o640)

    assert shell.run("%twinkle enable-magics") is None
    once = config.read_text()
    assert shell.run("%twinkle enable-magics") is None

    assert config.read_text() == once
    assert once.startswith(f"{_THEIRS}\n")
    assert config.stat().st_mode & 0o777 == 0o640
    assert shell.run("%twinkle enable-magics --undo") is None
    assert config.read_text() == f"{_THEIRS}\n"
    assert list(config.parent.iterdir()) == [config]


def test_a_file_of_nothing_else_goes_and_a_torn_one_is_left(
    shell: PlainShell, config: Path
) -> None:
    assert shell.run("%twinkle enable-magics") is None
    assert shell.run("%twinkle enable-magics --undo") is None
    assert not config.exists()
    shell.run("%twinkle enable-magics")
    config.write_text("\n".join(config.read_text().splitlines()[:2]))
    assert isinstance(shell.run("%twinkle enable-magics"), InvalidConfigError)


def test_a_new_shell_loads_it_at_its_first_use(tmp_path: Path) -> None:
    variables = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    command = [sys.executable, "-m", "twinkle_jupyter.cli", "enable-magics", "--user"]
    subprocess.run(command, env=variables, check=True, timeout=60, capture_output=True)
    code = (
        'import sys; print("before", "twinkle_jupyter" in sys.modules)\n'
        'get_ipython().run_line_magic("twinkle", "help")'
    )

    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", code],
        env=variables, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "before False" in done.stdout
    assert "train an adapter" in done.stdout
