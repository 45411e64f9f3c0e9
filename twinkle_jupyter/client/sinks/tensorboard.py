"""TensorBoard's event files, by tensorboardX, which needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twinkle_jupyter.client.sinks.interface import LoggedRun
from twinkle_jupyter.errors import MissingDependencyError


class TensorBoardSink:
    """Event files of one run, in a folder of its own below `folder`.

    They are what the run's log is: written anew from its beginning whenever the run is opened.

    Raises:
        MissingDependencyError: There is no library to write them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._make_writer = _find_writer()
        self._writer: Any = None

    def begin(self, run: LoggedRun) -> int:
        """Remove what an earlier one has written, and begin anew."""
        folder = self._folder / run.group / f"{run.adapter}-{run.run_id}"
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = self._make_writer(str(folder))
        text = json.dumps(dict(run.config), indent=2)
        self._writer.add_text("config", f"    {text}".replace("\n", "\n    "), 0)
        return -1

    def log(self, step: int, values: Mapping[str, float], at_s: float) -> None:
        """Write scalars."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step, walltime=at_s)

    def text(self, step: int, name: str, text: str, at_s: float) -> None:
        """Write a text."""
        self._writer.add_text(name, text, step, walltime=at_s)

    def finish(self, state: str) -> None:
        """Close the file."""
        self._writer.add_text("state", state, 0)
        self._writer.close()


def _find_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError(
            "TensorBoard's files need the package `tensorboardX`.",
            "Install it with `pip install 'twinkle-jupyter[tensorboard]'`.",
        ) from error
    return SummaryWriter
