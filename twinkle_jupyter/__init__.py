"""Twinkle: interactive LoRA training in Jupyter.

Importing this package is cheap: it loads neither torch nor Ray. `%load_ext twinkle_jupyter`
registers the magics, and Jupyter finds the server extension by the two functions below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from twinkle_jupyter.client.client import connect
    from twinkle_jupyter.notebook.functions import twinkle

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "load_ipython_extension", "twinkle"]


def __getattr__(name: str) -> object:
    """Load `twinkle`, the verbs as functions, and `connect` when they are first named."""
    if name == "twinkle":
        from twinkle_jupyter.notebook.functions import twinkle

        return twinkle
    if name == "connect":
        from twinkle_jupyter.client.client import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%twinkle` and `%%twinkle` with a running IPython shell."""
    from twinkle_jupyter.notebook.magics import register

    register(shell)


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Tell Jupyter Server where the extension lives."""
    from twinkle_jupyter.lab.extension import TwinkleExtension

    return [{"module": "twinkle_jupyter.lab.extension", "app": TwinkleExtension}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab's developer tools where the bundle lives."""
    return [{"src": "labextension", "dest": "twinkle-jupyter"}]
