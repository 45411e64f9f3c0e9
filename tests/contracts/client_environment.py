"""A virtual environment with somebody else's client in it, and nothing of ours to import."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def make_client_environment(
    folder: Path, *requirements: str, with_dependencies: bool = True
) -> Path:
    """Return the Python of a new environment that has these packages.

    What they need and our own environment has, torch above all, is taken from there; without
    dependencies, everything that is not named.
    """
    # Its own pip would take longer to come than all that it is there for.
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    link = folder / "lib" / version / "site-packages" / "shared.pth"
    link.write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    flags = ["-q", "--no-compile", *([] if with_dependencies else ["--no-deps"])]
    command = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    command += [*flags, *requirements]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return python


def client_variables(key: str) -> dict[str, str]:
    """Return the environment of a client's program."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "TINKER_API_KEY": key,
        "HF_HUB_OFFLINE": "1",
    }


def run_program(python: Path, program: Path, *arguments: str, key: str) -> str:
    """Run a client's program to its end; return what it printed."""
    command = [str(python), "-W", "ignore", str(program), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=client_variables(key), check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
