"""The run that a person holds: what it does now, what it did so far, and the ways to steer it."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Self

from twinkle_jupyter.client.awaiting import read_events
from twinkle_jupyter.client.cards import card
from twinkle_jupyter.client.metrics import as_table, metric_rows
from twinkle_jupyter.errors import NotFoundError, RunFailedError, ServiceUnavailableError
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.records import TERMINAL_STATES

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.client.event_stream import RunEventRecord
    from twinkle_jupyter.client.metrics import Table
    from twinkle_jupyter.wire.native import RunBody


class Run:
    """One run on the service; each property asks for the present value.

    `await run` waits for its end, as `wait` does; `async for event in run` gives every event, those
    of the past too. Cancelling either, or an interrupt, ends the waiting and not the run.

    Attributes:
        run_id: The run's id.
        adapter: Name of the adapter that it trains.
    """

    def __init__(self, client: Client, run_id: str, adapter: str) -> None:
        self._client = client
        self.run_id = run_id
        self.adapter = adapter

    @property
    def state(self) -> str:
        """The run's state."""
        return self._body.state

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self._body.step

    @property
    def is_over(self) -> bool:
        """Whether the state can no longer change."""
        return self.state in TERMINAL_STATES

    @property
    def history(self) -> Table:
        """Every step so far with loss, learning rate and the rest; a DataFrame if pandas is there.

        Raises:
            ServiceUnavailableError: The service does not answer.
        """
        return as_table(self.rows())

    def rows(self) -> list[dict[str, JSON]]:
        """Return every step so far; raises as `history`."""
        events = self._client.events(self.run_id, follow=False)
        return metric_rows(event.entry for event in events)

    def pause(self) -> Self:
        """Let the run rest before its next step; raises `ConflictError` when it is over."""
        self._client.pause(self.run_id)
        return self

    def resume(self) -> Self:
        """Let it go on; raises `ConflictError` when it is over."""
        self._client.resume(self.run_id)
        return self

    def stop(self) -> Self:
        """End the run before its next step; raises `ConflictError` when it is over."""
        self._client.stop(self.run_id)
        return self

    def wait(self, timeout_s: float) -> str:
        """Wait until the run is over and return its state, over restarts of the service.

        An interrupt ends the waiting, not the run.

        Raises:
            TimeoutError: It is not over after `timeout_s` seconds.
            RunFailedError: It failed.
        """
        events = self._client.events(self.run_id)
        timer = threading.Timer(timeout_s, events.stop)
        timer.daemon = True
        timer.start()
        state, reason = "", ""
        try:
            for event in events:
                if event.entry["kind"] == "state":
                    state, reason = str(event.entry["state"]), str(event.entry["reason"])
        finally:
            timer.cancel()
            events.stop()
        if not state or state not in TERMINAL_STATES:
            raise TimeoutError(f"Run {self.run_id} is {state or 'queued'} after {timeout_s:g} s.")
        return self._ended(state, reason)

    def __aiter__(self) -> AsyncGenerator[RunEventRecord, None]:
        return read_events(self._client.events(self.run_id))

    def __await__(self) -> Generator[object, None, str]:
        return self._end().__await__()

    async def _end(self) -> str:
        state, reason = "", ""
        async for event in self:
            if event.entry["kind"] == "state":
                state, reason = str(event.entry["state"]), str(event.entry["reason"])
        return self._ended(state, reason)

    def _ended(self, state: str, reason: str) -> str:
        if state == "failed":
            raise RunFailedError(f"Run {self.run_id} failed: {reason}")
        return state

    def __repr__(self) -> str:
        return f"<run {self.run_id} of adapter {self.adapter!r}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        title = f"Run of {self.adapter}"
        try:
            body = self._body
        except (NotFoundError, ServiceUnavailableError) as error:
            return card(title, {"run": self.run_id, "now": str(error)})
        step = f"{body.step} of {body.total_steps}" if body.total_steps else str(body.step)
        pairs = {
            "run": body.run_id,
            "state": body.state,
            "step": step,
            "loss": "" if body.loss is None else f"{body.loss:.4f}",
            "reason": body.reason,
        }
        return card(title, pairs)

    @property
    def _body(self) -> RunBody:
        return self._client.run(self.run_id)
