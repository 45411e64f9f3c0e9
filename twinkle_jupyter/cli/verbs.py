"""The magic's verbs on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from twinkle_jupyter.cli.terminal import TerminalFace
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Session
from twinkle_jupyter.notebook.verbs import run


def run_verb(words: Sequence[str]) -> int:
    """Do what the words say; return the exit code.

    Raises:
        TwinkleError: Whatever the verb raises.
    """
    service = ServiceLink()
    try:
        run(Session(TerminalFace(Console()), service, prefix="twinkle"), words)
    finally:
        service.close()
    return 0
