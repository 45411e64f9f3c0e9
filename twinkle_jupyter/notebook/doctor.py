"""`doctor`: what a person is asked for first when something does not work."""

from __future__ import annotations

import platform
import shutil
import sys
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from twinkle_jupyter import __version__
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.notebook.session import Session, Table

_PACKAGES = ("torch", "transformers", "ray", "jupyterlab", "ipykernel", "anywidget")


def doctor(session: Session, _: Namespace) -> None:
    """Look at versions, service, server extension and disk, and show what is there."""
    rows = [
        ("twinkle", __version__),
        ("python", f"{platform.python_version()} ({sys.executable})"),
        ("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)),
        ("service", _service(session)),
        ("server extension", _extension()),
        ("disk", _disk()),
    ]
    session.face.table(Table("Doctor", (), rows, "`%twinkle log` shows the service's log."))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _service(session: Session) -> str:
    try:
        client = session.service.find()
        if client is None:
            return "not running"
        return f"{client.service().phase} at {client.connection.address}"
    except TwinkleError as error:
        return str(error)


def _extension() -> str:
    from twinkle_jupyter.notebook.start_service import parent_server

    server = parent_server()
    if server is None:
        return "no Jupyter server is this kernel's parent"
    said = server.ask("GET", "service")
    if said is None:
        return "does not answer: `jupyter server extension list` should name twinkle_jupyter"
    ours, theirs = __version__, str(said.get("version"))
    return "answers" if ours == theirs else f"has version {theirs}, this kernel {ours}"


def _disk() -> str:
    from twinkle_jupyter.config.home import home_folder

    home = home_folder()
    there = next(folder for folder in (home, *home.parents, Path("/")) if folder.exists())
    free = shutil.disk_usage(there).free / 2**30
    return f"{home}, {free:.1f} GiB free"
