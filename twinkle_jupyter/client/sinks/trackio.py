"""trackio, by its own library: a local database that its own page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twinkle_jupyter.client.sinks.interface import LoggedRun
from twinkle_jupyter.errors import MissingDependencyError


class TrackioSink:
    """One run in a project; opened again, it goes on after what is there.

    Raises:
        MissingDependencyError: There is no `trackio`.
    """

    def __init__(self, project: str) -> None:
        try:
            import trackio
        except ImportError as error:
            raise MissingDependencyError(
                "trackio needs the package `trackio`.", "Install it: `pip install trackio`."
            ) from error
        self._library: Any = trackio
        self._project = project
        self._run: Any = None
        self._step = 0

    def begin(self, run: LoggedRun) -> int:
        """Open the run."""
        store = self._library.SQLiteStorage
        last = store.get_max_step_for_run(self._project, run=run.title)
        self._run = self._library.init(
            project=self._project,
            name=run.title,
            group=run.group or None,
            config=dict(run.config),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        return -1 if last is None else int(last)

    def log(self, step: int, values: Mapping[str, float], at_s: float) -> None:
        """Log numbers of a step; trackio keeps its own time."""
        del at_s
        self._step = max(self._step, step)
        self._run.log(dict(values), step=step)

    def text(self, step: int, name: str, text: str, at_s: float) -> None:
        """Log a text."""
        del at_s
        self._run.log({name: text}, step=step)

    def finish(self, state: str) -> None:
        """Close the run."""
        # At a step that is there: the newest one is where it goes on when it is opened again.
        self._run.log({"state": state}, step=self._step)
        self._run.finish()
