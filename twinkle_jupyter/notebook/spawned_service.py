"""A service that this process starts: what it says on stderr goes to its log, its end to us."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from twinkle_jupyter.config.home import service_log_path
from twinkle_jupyter.errors import ServiceUnavailableError

#: The code of an error, which stands behind its sentence.
_CODE = re.compile(r" \[\w+\]$")
_MAX_REASON = 500


class SpawnedService:
    """A process of its own session, with nothing of ours held open but what is asked for.

    Args:
        flags: Of `twinkle serve`.
        stdin: Of the process, as `subprocess` has it.

    Attributes:
        process: It.

    Raises:
        ServiceUnavailableError: Its log cannot be written.
    """

    def __init__(self, *flags: str, stdin: int = subprocess.DEVNULL) -> None:
        self._log_path = service_log_path()
        log = _append_to(self._log_path)
        try:
            self._begin = os.fstat(log).st_size
            self.process = subprocess.Popen(
                [sys.executable, "-m", "twinkle_jupyter.cli", "serve", *flags],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def check(self) -> None:
        """Raise `ServiceUnavailableError` with its last words if it has ended."""
        code = self.process.poll()
        if code is not None:
            reason = self._last_words()
            raise ServiceUnavailableError(
                f"The training service ended with code {code}{reason and f': {reason}'}.",
                "`%twinkle log` shows more." if reason else "`%twinkle log` shows why.",
            )

    def _last_words(self) -> str:
        """Return the last line that the log has since the start; maybe none."""
        with self._log_path.open("rb") as log:
            log.seek(self._begin)
            lines = log.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return _CODE.sub("", said)[:_MAX_REASON].rstrip(".")


def _append_to(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise ServiceUnavailableError(
            f"The training service cannot write its log {path}: {error.strerror}.",
            "Set TWINKLE_HOME to a folder of your own.",
        ) from error
