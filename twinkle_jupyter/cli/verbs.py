"""The magic's verbs on the command line."""

from __future__ import annotations

import sys
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
    # `-` is the body of a cell in a notebook; here it is what is piped in.
    body = sys.stdin.read() if "-" in words[1:] else None
    try:
        run(Session(TerminalFace(Console()), service, prefix="twinkle", body=body), words)
    finally:
        service.close()
    return 0
