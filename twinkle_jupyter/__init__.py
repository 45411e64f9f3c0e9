"""Twinkle: interactive LoRA training in Jupyter.

Importing this package is cheap: it loads neither torch nor Ray. `%load_ext twinkle_jupyter`
registers the magics, and Jupyter finds the server extension by the two functions below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"
__all__ = ["__version__", "load_ipython_extension"]


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
