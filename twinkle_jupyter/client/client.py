"""The service as a program sees it: one method a route, exceptions for what goes wrong.

Every call is bounded in time. Answers are the bodies of the native protocol.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx
from pydantic import BaseModel

from twinkle_jupyter.client.answers import AnswerPart, read_answer
from twinkle_jupyter.client.commands import checked_name
from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.client.errors_from_wire import no_service
from twinkle_jupyter.client.event_stream import EventStream, LinkState
from twinkle_jupyter.client.sender import Sender
from twinkle_jupyter.client.sweep_commands import SweepCommands
from twinkle_jupyter.config.run_record import RunRecord
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.templates.resolve import resolve_template_model_id
from twinkle_jupyter.wire.native import (
    AdapterBody,
    AdapterListBody,
    RunBody,
    RunListBody,
    ServiceBody,
)
from twinkle_jupyter.wire.token_views import TokenViewBody
from twinkle_jupyter.wire.usage import UsageBody

if TYPE_CHECKING:
    from twinkle_jupyter.client.adapter import Adapter
    from twinkle_jupyter.client.run import Run
    from twinkle_jupyter.config.run_config import RunConfig

__all__ = [
    "AdapterBody",
    "AnswerPart",
    "Client",
    "RunBody",
    "ServiceBody",
    "UsageBody",
    "connect",
]

#: An ordinary answer, in seconds.
ANSWER_S = 5.0
#: Sending and checking a large data set, or waiting for the run of a stopped one to end.
UPLOAD_S = 120.0
#: Until the next piece of an answer: a long prompt on a slow machine takes a while.
SAMPLE_S = 300.0


def connect(url: str = "", api_key: str = "") -> Client:
    """Return a client of the service that arguments, environment or connection file name.

    Raises:
        ServiceUnavailableError: Nothing says where a service is.
        InvalidConfigError: There is an address without a key.
        NotAllowedError: The connection file is open to others.
    """
    connection = find_connection(url, api_key)
    if connection is None:
        raise no_service()
    return Client(connection)


class Client(SweepCommands):
    """Calls one service, on whichever port it comes back after a restart.

    Args:
        connection: Where it is.

    Raises:
        ServiceUnavailableError: From every method: it is not running or does not answer in time.
        NotAllowedError: From every method: it does not take the key.
    """

    def __init__(self, connection: Connection) -> None:
        self._sender = Sender(connection)
        self._announced: list[object] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def connection(self) -> Connection:
        """Where the service is, or was when it last answered."""
        return self._sender.connection

    def close(self) -> None:
        """Close the connections; the next call opens new ones, to where the service is then."""
        self._sender.close()

    def resolve_template_model_id(self, model_name: str, model_id: str | None = None) -> str:
        """Return the model whose chat template goes with a base model; `model_id` says it itself.

        A service that does not answer, or announces nothing, leaves the base model's own.
        """
        if model_id is None and self._announced is None:
            try:
                body = self._send("GET", "/twinkle/get_server_capabilities").json()
                self._announced = list(body["supported_models"])
            except (TwinkleError, ValueError, KeyError, TypeError):
                return resolve_template_model_id(model_name, None, ())
        return resolve_template_model_id(model_name, model_id, self._announced or ())

    def service(self) -> ServiceBody:
        """Tell what the service is and does."""
        return self._call("GET", "/service", ServiceBody)

    def usage(self) -> UsageBody:
        """Tell what this user may have at once, and how much of it they have."""
        return self._call("GET", "/usage", UsageBody)

    def start_run(
        self,
        config: RunConfig | Mapping[str, object],
        records: Sequence[Mapping[str, object]],
        *,
        from_adapter: str | None = None,
        repeats: RunRecord | None = None,
    ) -> RunBody:
        """Queue a run; the same one that is still active is returned instead of a second.

        It begins with the newest weights of `from_adapter`, whose rank, alpha and base model it
        must have, or anew; or it is the run again whose record `repeats` is.

        Raises:
            InvalidConfigError: Settings are wrong; all are named.
            InvalidDataError: Records cannot be trained on.
            ConflictError: Another run of this adapter is active.
        """
        settings = config.model_dump(mode="json") if isinstance(config, BaseModel) else dict(config)
        body = {
            "config": settings,
            "records": list(records),
            "from_adapter": from_adapter,
            "repeats": repeats.model_dump(mode="json") if repeats else None,
        }
        content = json.dumps(body).encode()
        answer = self._send("POST", "/runs", content=content, timeout_s=UPLOAD_S)
        return RunBody.model_validate_json(answer.content)

    def runs(self) -> list[RunBody]:
        """List all runs, newest first."""
        return list(self._call("GET", "/runs", RunListBody).runs)

    def run(self, name: str) -> RunBody:
        """Return a run by its id, or an adapter's newest run by the adapter's name.

        Raises:
            NotFoundError: There is no such run.
        """
        return self._call("GET", f"/runs/{checked_name(name)}", RunBody)

    def hold(self, name: str) -> Run:
        """Return the run as an object with state, history and commands.

        Raises:
            NotFoundError: There is no such run.
        """
        from twinkle_jupyter.client.run import Run

        body = self.run(name)
        return Run(self, body.run_id, body.adapter)

    def adapter(self, name: str) -> Adapter:
        """Return the adapter as an object; each of its properties asks anew."""
        from twinkle_jupyter.client.adapter import Adapter

        return Adapter(self, name)

    def adapters(self, *, details: bool = False) -> list[AdapterBody]:
        """List all adapters by name; with where each is and what it takes on disk if asked for."""
        path = "/adapters?details=true" if details else "/adapters"
        return list(self._call("GET", path, AdapterListBody).adapters)

    def delete_adapter(self, name: str) -> None:
        """Delete an adapter's weights.

        Raises:
            NotFoundError: There is no such adapter.
            ConflictError: It is being trained.
        """
        self._send("DELETE", f"/adapters/{checked_name(name)}")

    def view_tokens(self, asked: Mapping[str, object]) -> TokenViewBody:
        """Return a conversation as the tokens that a run would train on.

        Args:
            asked: `messages`, `base_model`, `loss_mask`, `max_length` and `adapter`, as
                `POST /tokens` has them.

        Raises:
            InvalidDataError: The template refuses the conversation.
        """
        return self._post("/tokens", asked, TokenViewBody)

    def sample(
        self, model: str, messages: Sequence[Mapping[str, str]], **settings: float
    ) -> Generator[AnswerPart, None, None]:
        """Stream an answer: pieces of text, then how it ended. Closing the iterator cancels it.

        Args:
            model: An adapter's name for its newest weights, or `base`.
            messages: The conversation, each with `role` and `content`.
            settings: `max_tokens`, `temperature`, `top_p`, `top_k`, `min_p`, `seed`,
                `repetition_penalty`, `presence_penalty`, `frequency_penalty`.

        Raises:
            NotFoundError: There is no such adapter.
            InvalidConfigError: A setting is out of range.
            InvalidDataError: The conversation does not fit the model's template.
        """
        body = {"model": model, "messages": [dict(m) for m in messages], **settings}
        content = json.dumps(body).encode()
        with self._sender.answer("POST", "/samples", content, timeout_s=SAMPLE_S) as answer:
            yield from read_answer(answer)

    def events(
        self,
        run: str,
        *,
        after: int = 0,
        follow: bool = True,
        on_link: Callable[[LinkState, str], None] | None = None,
    ) -> EventStream:
        """Return the events of a run beyond `after`, each once, also over restarts.

        Args:
            run: A run id, or an adapter's name, which is looked up when the stream is made.
            after: The last position the reader has.
            follow: Go on with new events, else end when all were sent.
            on_link: Told "live" and "waiting" with a sentence, each time that it changes.
        """
        run_id = run if run.startswith("run_") else self.run(run).run_id
        return EventStream(self._sender.find, run_id, after=after, follow=follow, on_link=on_link)

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        limit_s = timeout_s if timeout_s is not None else ANSWER_S
        with self._sender.answer(method, path, content, timeout_s=limit_s) as answer:
            answer.read()
            return answer
