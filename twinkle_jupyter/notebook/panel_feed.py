"""Feeds a panel over a comm: the frames of the websocket, in batches, from threads of its own.

Nothing runs before the front end subscribes, and nothing after the run's end, a `close`, or the
kernel's end. The threads never print.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.errors import InvalidDataError, TwinkleError

if TYPE_CHECKING:
    from twinkle_jupyter.client.commands import RunCommands
    from twinkle_jupyter.client.event_stream import EventStream
    from twinkle_jupyter.notebook.run_handle import RunHandle

_LOGGER = logging.getLogger(__name__)

Frame = Mapping[str, object]

#: A batch of frames is sent this often at most, in seconds.
BATCH_S = 0.1
#: Frames in a batch, and frames that may wait for the next.
MAX_BATCH = 250
MAX_WAITING = 1000


class PanelFeed:
    """Answers one panel's subscriptions and commands.

    Args:
        run: The run that the panel shows.
        send: Sends a frame to the front end; called from threads.
    """

    def __init__(self, run: RunHandle, send: Callable[[Frame], None]) -> None:
        self.run = run
        self._send = send
        self._subscription: _Subscription | None = None

    def take(self, message: Mapping[str, object]) -> None:
        """Take a message of the front end; returns at once."""
        if message.get("type") == "subscribe":
            after = message.get("after")
            self._subscribe(after if isinstance(after, int) else 0)
        elif message.get("type") == "unsubscribe":
            self.close()
            # A page counts its own views only: one that still has some subscribes again.
            self._send({"type": "closed"})
        elif message.get("type") == "command":
            threading.Thread(
                target=self._command,
                args=(str(message.get("command")), message.get("body")),
                name="twinkle-panel-command",
                daemon=True,
            ).start()

    def close(self) -> None:
        """End the threads."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _subscribe(self, after: int) -> None:
        """Feed whoever asks from there on, and no later than where all the others are."""
        if self._subscription is not None:
            after = min(after, self._subscription.position)
        self.close()
        self._subscription = _Subscription(self.run, after, self._send)

    def _command(self, command: str, body: object) -> None:
        error = None
        try:
            obey(self.run.client, self.run.run_id, command, body)
        except TwinkleError as caught:
            error = caught.as_fields()
        except Exception as caught:
            # Below the level that Python prints where nobody has configured logging.
            _LOGGER.info("%s was not done", command, exc_info=True)
            error = _unexpected(caught).as_fields()
        self._send({"type": "command-result", "command": command, "error": error})


def obey(client: RunCommands, run_id: str, command: str, body: object) -> None:
    """Do what a panel asks for.

    Raises:
        TwinkleError: It was refused.
        InvalidDataError: There is no such command, or its body is none.
    """
    fields = body if isinstance(body, Mapping) else {}
    if command == "pause":
        client.pause(run_id)
    elif command == "resume":
        client.resume(run_id)
    elif command == "stop":
        if fields.get("keep") == "best":
            client.stop(run_id, keep="best")
        else:
            client.stop(run_id)
    elif command == "checkpoint":
        client.checkpoint(run_id)
    elif command == "set" and isinstance(changes := fields.get("changes"), Mapping):
        client.set(run_id, **changes)
    elif command == "fork" and isinstance(adapter := fields.get("adapter"), str):
        client.fork(run_id, adapter=adapter)
    else:
        raise InvalidDataError(f"The panel cannot ask for {command!r} like this.")


def _unexpected(error: Exception) -> TwinkleError:
    kind = type(error).__name__
    return TwinkleError(f"The kernel could not answer: {kind}.", "Run the cell again.")


class _Subscription:
    """One reader of the run's events and one sender of batches.

    Attributes:
        position: The last one that was sent.
    """

    def __init__(self, run: RunHandle, after: int, send: Callable[[Frame], None]) -> None:
        self.position = after
        self._send = send
        self._frames: queue.Queue[Frame | None] = queue.Queue(MAX_WAITING)
        self._closed = threading.Event()
        self._events: EventStream = run.client.events(run.run_id, after=after, on_link=self._link)
        for target in (self._read, self._send_batches):
            name = f"twinkle-panel{target.__name__}"
            threading.Thread(target=target, name=name, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._events.stop()

    def _read(self) -> None:
        try:
            for event in self._events:
                self._put({"type": "event", "id": event.id, "event": event.entry})
            self._put({"type": "end"})
        except TwinkleError as error:
            self._put({"type": "error", "error": error.as_fields()})
        except Exception as error:
            _LOGGER.info("the events of a panel were not read", exc_info=True)
            self._put({"type": "error", "error": _unexpected(error).as_fields()})
        finally:
            self._put(None)

    def _link(self, state: str, message: str) -> None:
        self._put({"type": "connection", "state": state, "message": message})

    def _put(self, frame: Frame | None) -> None:
        while not self._closed.is_set():
            try:
                self._frames.put(frame, timeout=0.2)
            except queue.Full:
                continue
            return

    def _send_batches(self) -> None:
        """Send what has come, many frames in one message: each message costs the kernel a while."""
        while not self._closed.is_set():
            began = time.monotonic()
            frames: list[Frame] = []
            while len(frames) < MAX_BATCH:
                try:
                    frame = self._frames.get(timeout=0 if frames else BATCH_S)
                except queue.Empty:
                    break
                if frame is None:
                    self._closed.set()
                    break
                frames.append(frame)
            if frames:
                self._send({"type": "batch", "after": self.position, "frames": frames})
                sent = [one["id"] for one in frames if one["type"] == "event"]
                self.position = cast("int", sent[-1]) if sent else self.position
            self._closed.wait(max(0.0, BATCH_S - (time.monotonic() - began)))
