"""Where a user's runs, checkpoints and logs lie."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home_folder() -> Path:
    """Return the folder of this user's service: `TWINKLE_HOME`, or the user's data folder.

    May not exist.
    """
    if chosen := os.environ.get("TWINKLE_HOME"):
        return Path(chosen).expanduser()
    return platformdirs.user_data_path("twinkle")


def service_log_path() -> Path:
    """Return where the service of this user writes its log."""
    return home_folder() / "service.log"
