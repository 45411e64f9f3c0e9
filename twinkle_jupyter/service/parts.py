"""What the routes work with, put together by whoever starts the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.service.quotas import Quotas
from twinkle_jupyter.service.writing_places import WritingPlaces
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.recent_row import RecentRows
from twinkle_jupyter.templates.encoded_conversation import EncodedConversation
from twinkle_jupyter.templates.message_form import Messages, Tools
from twinkle_jupyter.templates.tool_form import CallForm


class PromptTemplate(Protocol):
    """The base model's chat template, as far as sampling needs it."""

    @property
    def stop_token_ids(self) -> frozenset[int]:
        """Ids that end an answer."""
        ...

    @property
    def call_form(self) -> CallForm | None:
        """How it has functions called; None where it has no place for them."""
        ...

    def encode_prompt(
        self, messages: Messages, *, tools: Tools = (), opening: str = ""
    ) -> tuple[int, ...]:
        """Return what the model reads before it answers, and what its answer begins with.

        Raises:
            InvalidDataError: The template refuses the conversation.
        """
        ...

    def encode_conversation(self, messages: Messages) -> EncodedConversation:
        """Return a whole conversation with the weight of each token.

        Raises:
            InvalidDataError: The template refuses the conversation, or no mask would be true.
        """
        ...

    def encode_text(self, text: str) -> tuple[int, ...]:
        """Return a text as the tokenizer reads it by itself."""
        ...

    def token_text(self, token_id: int) -> str:
        """Return what one token stands for."""
        ...


@dataclass(frozen=True, slots=True)
class ServedModel(Compute):
    """A base model that is loaded, and how it reads a conversation."""

    template: PromptTemplate


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """Everything that the routes use."""

    store: StateStore
    config: ServiceConfig
    #: By base model; returns at once, or raises `ServiceUnavailableError` while it is not loaded.
    compute: Callable[[str], Awaitable[ServedModel]]
    #: Raises `InvalidConfigError` or `NotFoundError` for a base model that nobody can load. May
    #: block; runs on a thread.
    check_base_model: Callable[[str], None]
    quotas: Quotas
    #: Rows that are asked for with every request.
    recent: RecentRows
    #: For what is sampled by way of another protocol than ours.
    places: WritingPlaces = field(default_factory=WritingPlaces)


async def _parts_of_app(request: Request) -> ServiceParts:
    return cast("ServiceParts", request.app.state.parts)


#: A route's parameter.
Parts = Annotated[ServiceParts, Depends(_parts_of_app)]
