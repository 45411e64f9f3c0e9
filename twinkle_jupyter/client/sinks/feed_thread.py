"""Feeds a logger beside whatever else a kernel does; a library that fails costs the logger only."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from twinkle_jupyter.client.sinks.feeding import feed
from twinkle_jupyter.client.sinks.interface import LoggedRun, MetricSink
from twinkle_jupyter.errors import TwinkleError

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client

_LOGGER = logging.getLogger(__name__)


class FeedThread(threading.Thread):
    """One run into one logger. It ends with the run at the latest, or with the process.

    Args:
        make: Opens the logger.
        run: Which run.
        client: Where its events come from.
        follow: Go on to the run's end, else end with what there is.

    Attributes:
        failure: Why it ended early; None if it did not.
    """

    def __init__(
        self, make: Callable[[], MetricSink], run: LoggedRun, client: Client, *, follow: bool
    ) -> None:
        super().__init__(name=f"metrics of {run.adapter}", daemon=True)
        self._make = make
        self._run_of = run
        self._events = client.events(run.run_id, follow=follow)
        self.failure: TwinkleError | None = None

    def run(self) -> None:
        """Feed the logger."""
        try:
            feed(self._make(), self._run_of, self._events)
        except TwinkleError as error:
            self.failure = error
        except Exception as error:  # of somebody else's library, whose kinds are not known
            _LOGGER.exception("the %s were lost", self.name)
            self.failure = TwinkleError(f"The {self.name} were lost: {error}.")

    def stop(self) -> None:
        """End as if nothing more came."""
        self._events.stop()
