"""`twinkle tutorial`: JupyterLab on the first notebook, with its base model already there."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from rich.console import Console

from twinkle_jupyter.cli.fetch_bar import fetch_with_bar
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.errors import NotFoundError

_NOTIFICATIONS = "notification.jupyterlab-settings"
_FIRST = "01_first_adapter.ipynb"


def open_tutorial(folder: Path, jupyter_arguments: list[str], console: Console) -> int:
    """Fetch the model, copy the notebooks that are not there, and become JupyterLab.

    Args:
        folder: Where the notebooks go; one that is there stays as it is.
        jupyter_arguments: Handed on, such as `--no-browser` or `--port 8889`.
        console: Where progress is shown.
    """
    fetch_with_bar(DEFAULT_BASE_MODEL, console)
    notebook = copy_notebook(_FIRST, folder)
    for other in sorted(_notebooks().glob("*.ipynb")):
        copy_notebook(other.name, folder)
    say_no_to_jupyter_news(_user_settings_folder())
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        # The address that is printed opens the notebook too, where no browser can be started.
        f"--LabApp.default_url=/lab/tree/{notebook.name}",
        *_container_arguments(),
    ]
    console.print(f"Opening [bold]{notebook.name}[/bold] in JupyterLab; Ctrl-C ends it.")
    os.chdir(folder)
    os.execv(sys.executable, [*command, *jupyter_arguments])  # noqa: S606 - this very interpreter


def copy_notebook(name: str, folder: Path) -> Path:
    """Copy a tutorial that came with the package into `folder`; keep one that is there.

    Raises:
        NotFoundError: The package was installed without its tutorials.
    """
    target = folder / name
    if target.exists():
        return target
    source = _notebooks() / name
    if not source.exists():
        raise NotFoundError(
            f"The tutorial {name!r} is not where the package puts it.",
            "Install the package again: `pip install --force-reinstall twinkle-jupyter`.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


def _notebooks() -> Path:
    return Path(sysconfig.get_path("data")) / "share" / "twinkle" / "notebooks"


def say_no_to_jupyter_news(user_settings: Path) -> None:
    """Answer JupyterLab's question about its news, unless the user has: it covers the panel."""
    path = user_settings / "@jupyterlab" / "apputils-extension" / _NOTIFICATIONS
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"fetchNews": "false"}\n', encoding="utf-8")


def _user_settings_folder() -> Path:
    from jupyter_core.paths import jupyter_config_dir

    named = os.environ.get("JUPYTERLAB_SETTINGS_DIR")
    return Path(named) if named else Path(jupyter_config_dir()) / "lab" / "user-settings"


def _container_arguments() -> list[str]:
    """JupyterLab refuses to run as root unless told that this is meant, as in a container."""
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
