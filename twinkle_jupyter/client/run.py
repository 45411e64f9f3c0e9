"""The run that a person holds: what it does now, what it did so far, and the ways to steer it."""

from __future__ import annotations

import threading
from html import escape
from typing import TYPE_CHECKING, Self

from twinkle_jupyter.client.metrics import as_table, metric_rows
from twinkle_jupyter.errors import RunFailedError
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.records import TERMINAL_STATES

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.client.metrics import Table
    from twinkle_jupyter.wire.native import RunBody


class Run:
    """One run on the service; each property asks for the present value.

    Attributes:
        run_id: The run's id.
    """

    def __init__(self, client: Client, run_id: str) -> None:
        self._client = client
        self.run_id = run_id

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
        if state == "failed":
            raise RunFailedError(f"Run {self.run_id} failed: {reason}")
        if state not in TERMINAL_STATES:
            raise TimeoutError(f"Run {self.run_id} is {state or 'queued'} after {timeout_s:g} s.")
        return state

    def __repr__(self) -> str:
        return f"<run {self.run_id}>"

    def _repr_html_(self) -> str:
        body = self._body
        step = f"{body.step} of {body.total_steps}" if body.total_steps else str(body.step)
        loss = "" if body.loss is None else f"{body.loss:.4f}"
        shown = {"run": body.run_id, "adapter": body.adapter, "state": body.state}
        shown |= {"step": step, "loss": loss, "reason": body.reason}
        cells = (
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in shown.items()
            if value
        )
        return f"<table>{''.join(cells)}</table>"

    @property
    def _body(self) -> RunBody:
        return self._client.run(self.run_id)
