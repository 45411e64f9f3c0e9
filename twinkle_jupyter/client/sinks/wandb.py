"""Weights & Biases, by its own library, with the login of whoever sits here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twinkle_jupyter.client.sinks.interface import LoggedRun
from twinkle_jupyter.errors import MissingDependencyError, NotAllowedError


class WandbSink:
    """One run in a project; opened again, it goes on after what is there.

    Raises:
        MissingDependencyError: There is no `wandb`.
    """

    def __init__(self, project: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingDependencyError(
                "W&B needs the package `wandb`.", "Install it: `pip install wandb`."
            ) from error
        self._library: Any = wandb
        self._project = project
        self._run: Any = None
        self._step = 0

    def begin(self, run: LoggedRun) -> int:
        """Open the run.

        Raises:
            NotAllowedError: Nobody is logged in.
        """
        try:
            self._run = self._library.init(
                project=self._project,
                id=run.run_id,
                name=run.adapter,
                group=run.group or None,
                config=dict(run.config),
                resume="allow",
                reinit="create_new",
                settings=self._library.Settings(silent=True),
            )
        except self._library.errors.UsageError as error:
            raise NotAllowedError(
                "W&B does not know who you are.", "Run `wandb login`, or set WANDB_MODE=offline."
            ) from error
        # It says the step that comes next, 0 for a new one.
        self._step = int(self._run.step) - 1
        return self._step

    def log(self, step: int, values: Mapping[str, float], at_s: float) -> None:
        """Log numbers of a step; W&B keeps its own time."""
        del at_s
        self._step = max(self._step, step)
        self._run.log(dict(values), step=self._step)

    def text(self, step: int, name: str, text: str, at_s: float) -> None:
        """Log a text; one of an earlier step counts with the newest, since W&B looks ahead only."""
        self.log(step, {name: text}, at_s)  # type: ignore[dict-item]

    def finish(self, state: str) -> None:
        """Close the run."""
        self._run.summary["state"] = state
        self._run.finish(exit_code=1 if state == "failed" else 0)
