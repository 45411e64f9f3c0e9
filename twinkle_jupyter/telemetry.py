"""Where our processes log: one file each, moved away when it has grown."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_MAX_BYTES = 5 * 1024 * 1024


def log_to_file(path: Path, level: str = "info") -> None:
    """Send this process's log records to the file, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(path, maxBytes=_MAX_BYTES, backupCount=2, encoding="utf-8")
    path.chmod(0o600)
    # Each request of ours to somebody else would be a line of its own.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.basicConfig(level=level.upper(), format=_FORMAT, handlers=[handler], force=True)
