"""A port for a program that does not choose one by itself."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return one on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
