"""Answers what a panel asks over a comm, each question on a thread of its own that never prints."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping

from twinkle_jupyter.errors import InvalidDataError, TwinkleError

Message = Mapping[str, object]
#: Yields pieces of text while it answers, and returns the answer.
Answer = Callable[[Message], Iterator[str] | Message]

_LOGGER = logging.getLogger(__name__)
#: Questions at once; a panel has at most four columns.
MAX_ASKED = 8


class AskFeed:
    """Takes `ask` and `cancel`, sends `part` and `reply`.

    Args:
        answers: By question; may be exchanged, which questions under way do not notice.
        send: Sends a message to the front end; called from threads.
    """

    def __init__(self, answers: Mapping[str, Answer], send: Callable[[Message], None]) -> None:
        self.answers = answers
        self._send = send
        self._asked: dict[str, threading.Event] = {}

    def take(self, message: Message) -> None:
        """Take a message of the front end; returns at once."""
        asked = str(message.get("id"))
        if message.get("type") == "cancel":
            cancelled = self._asked.get(asked)
            if cancelled is not None:
                cancelled.set()
        elif message.get("type") == "ask":
            if len(self._asked) >= MAX_ASKED:
                error = InvalidDataError(f"{MAX_ASKED} questions are being answered.", "Wait.")
                self._reply(asked, None, error)
                return
            self._asked[asked] = threading.Event()
            threading.Thread(
                target=self._answer, args=(asked, message), name="twinkle-ask", daemon=True
            ).start()

    def close(self) -> None:
        """End what is being answered."""
        for cancelled in list(self._asked.values()):
            cancelled.set()

    def _answer(self, asked: str, message: Message) -> None:
        try:
            result = self._result(asked, message)
        except TwinkleError as error:
            self._reply(asked, None, error)
        except Exception as error:
            # Below the level that Python prints where nobody has configured logging.
            _LOGGER.info("%s was not answered", message.get("question"), exc_info=True)
            kind = type(error).__name__
            told = TwinkleError(f"The kernel could not answer: {kind}.", "Run the cell again.")
            self._reply(asked, None, told)
        else:
            self._reply(asked, result, None)
        finally:
            self._asked.pop(asked, None)

    def _result(self, asked: str, message: Message) -> Message:
        answer = self.answers.get(str(message.get("question")))
        body = message.get("body")
        if answer is None or not isinstance(body, Mapping):
            raise InvalidDataError(f"The panel cannot ask for {message.get('question')!r}.")
        said = answer(body)
        return said if isinstance(said, Mapping) else self._tell(asked, said)

    def _tell(self, asked: str, parts: Iterator[str]) -> Message:
        """Send the pieces as they come; what the iterator returns is the answer."""
        cancelled = self._asked[asked]
        while not cancelled.is_set():
            try:
                text = next(parts)
            except StopIteration as end:
                result: Message = end.value
                return result
            self._send({"type": "part", "id": asked, "text": text})
        return {"finish_reason": "cancelled"}

    def _reply(self, asked: str, result: Message | None, error: TwinkleError | None) -> None:
        fields = None if error is None else error.as_fields()
        self._send({"type": "reply", "id": asked, "result": result, "error": fields})
