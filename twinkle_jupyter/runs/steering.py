"""The settings of a run at each of its steps: what it began with, and every change since.

A change counts from one step on and is in the run's log before that step is sent. So whoever drives
the run next, from whichever step, finds the same settings, rows and rates at the same steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.config.steering import apply_changes
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.runs.events import SettingValue, Steered
from twinkle_jupyter.runs.schedule import learning_rate_at
from twinkle_jupyter.store.interface import Row

#: In a wish: the step that it waits for.
AT_STEP = "at_step"
#: In a wish, and nothing else in it: a checkpoint of the newest step, now.
CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Steps with the same settings."""

    first_step: int
    #: Rows of the data that were trained on before, counted over all epochs.
    num_rows_before: int
    config: RunConfig
    total_steps: int


class Steering:
    """One run's settings.

    Args:
        config: What the run began with.
        num_rows: Rows that are trained on.
        first_step: 1, or the first after the one that a fork goes on from.
        num_rows_before: Rows that were trained on before that step.
    """

    def __init__(
        self, config: RunConfig, num_rows: int, *, first_step: int = 1, num_rows_before: int = 0
    ) -> None:
        self._num_rows = num_rows
        total_steps = self._count_steps(config, first_step, num_rows_before)
        self._stretches = [_Stretch(first_step, num_rows_before, config, total_steps)]
        #: Numbers of the wishes that the log has an answer to.
        self._taken: set[int] = set()

    @property
    def config(self) -> RunConfig:
        """The newest settings."""
        return self._stretches[-1].config

    @property
    def first_step(self) -> int:
        """The first step of this run: 1, or the one after that which it goes on from."""
        return self._stretches[0].first_step

    @property
    def total_steps(self) -> int:
        """Steps of the whole run by the newest settings."""
        return self._stretches[-1].total_steps

    def config_at(self, step: int) -> RunConfig:
        """Return the settings of a step."""
        return self._stretch(step).config

    def rows_at(self, step: int) -> range:
        """Return the places of a step's rows in the endless stream of epochs."""
        stretch = self._stretch(step)
        size = stretch.config.batch_size
        start = stretch.num_rows_before + (step - stretch.first_step) * size
        return range(start, start + size)

    def learning_rate_at(self, step: int) -> float:
        """Return the rate of a step."""
        stretch = self._stretch(step)
        return learning_rate_at(stretch.config, step, stretch.total_steps)

    def take(self, wishes: Iterable[Row], step: int) -> list[Steered]:
        """Return an event for each wish whose time has come, all in effect from `step` on.

        Args:
            wishes: All there ever were, as `RunRow.wishes` has them. One with `at_step` waits for
                that step.
            step: The next one.
        """
        events = []
        for number, wish in enumerate(wishes, start=1):
            if number not in self._taken and cast("int", wish.get(AT_STEP, 0)) <= step:
                changes = {name: value for name, value in wish.items() if name != AT_STEP}
                events.append(self._take(number, cast("dict[str, SettingValue]", changes), step))
        return events

    def replay(self, entries: Iterable[Row]) -> None:
        """Take what the log says was taken."""
        for entry in entries:
            self._taken.add(cast("int", entry["wish"]))
            changes = cast("Mapping[str, object]", entry["changes"])
            if not entry["refusal"] and CHECKPOINT not in changes:
                self._begin_stretch(apply_changes(self.config, changes), cast("int", entry["step"]))

    def _take(self, number: int, changes: dict[str, SettingValue], step: int) -> Steered:
        self._taken.add(number)
        refusal = ""
        try:
            if CHECKPOINT not in changes:
                self._begin_stretch(apply_changes(self.config, changes), step)
        except InvalidConfigError as error:
            refusal = str(error)
        return Steered(
            step=step,
            wish=number,
            changes=changes,
            total_steps=self.total_steps,
            refusal=refusal,
        )

    def _begin_stretch(self, config: RunConfig, step: int) -> None:
        num_rows_before = self.rows_at(step).start
        # Steps that were taken cannot be taken back: a run that is asked for less ends here.
        total_steps = max(step - 1, self._count_steps(config, step, num_rows_before))
        stretch = _Stretch(step, num_rows_before, config, total_steps)
        if self._stretches[-1].first_step == step:
            self._stretches[-1] = stretch
        else:
            self._stretches.append(stretch)

    def _count_steps(self, config: RunConfig, step: int, num_rows_before: int) -> int:
        """Count the steps of a whole run that has these settings from `step` on."""
        if config.steps is not None or step == 1:
            return config.total_steps(self._num_rows)
        epochs = config.epochs if config.epochs is not None else 3.0
        num_rows_left = epochs * self._num_rows - num_rows_before
        return step - 1 + max(0, round(num_rows_left / config.batch_size))

    def _stretch(self, step: int) -> _Stretch:
        """Return the newest stretch that has begun at `step`."""
        begun = [one for one in self._stretches if one.first_step <= step]
        return begun[-1] if begun else self._stretches[0]
