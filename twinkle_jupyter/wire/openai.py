"""Bodies of the OpenAI protocol: chat completions, completions, models.

Fields that we do not know are ignored, as clients of it expect. Those that we know and cannot
honour are refused by whoever reads them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TextPart(_Body):
    """A part of a message."""

    type: str
    text: str = ""


class Message(_Body):
    """One turn of a conversation."""

    role: str = Field(min_length=1, max_length=32)
    content: str | list[TextPart] | None = None


class StreamOptions(_Body):
    """How an answer is streamed."""

    include_usage: bool = False


class GenerationBody(_Body):
    """What both kinds of request say of the answer."""

    model: str = Field(min_length=1, max_length=1000)
    #: `tinker://…` or `twinkle://…`: these weights instead of what `model` names.
    adapter_uri: str | None = None
    max_tokens: int | None = Field(default=None, ge=0, le=1_000_000)
    temperature: float | None = Field(default=None, ge=0, le=10)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    n: int | None = Field(default=None, ge=1, le=128)
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    #: Not OpenAI's, but what other servers of its protocol take.
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    logit_bias: dict[str, JsonValue] | None = None

    @property
    def not_there(self) -> list[str]:
        """Settings that were asked for and change nothing here."""
        return ["logit_bias"] if self.logit_bias else []


class ResponseFormat(_Body):
    """What form an answer is to have."""

    type: str = "text"


class ChatBody(GenerationBody):
    """`POST chat/completions`."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[JsonValue] | None = None
    response_format: ResponseFormat | None = None


class CompletionBody(GenerationBody):
    """`POST completions`."""

    prompt: str | list[str] | list[int] | list[list[int]]
    echo: bool = False
    #: Likeliest tokens to name at each position; None for no log-probabilities at all.
    logprobs: int | None = Field(default=None, ge=0, le=20)
    suffix: str | None = None


FinishReason = Literal["stop", "length"]


class Usage(BaseModel):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, prompt_tokens: int, completion_tokens: int) -> Usage:
        """Count up."""
        return cls(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=prompt_tokens + completion_tokens,
        )


class ModelCard(BaseModel):
    """One model that can be named."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """`GET models`."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class ErrorDetails(BaseModel):
    """What was wrong, in the envelope that clients read."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorEnvelope(BaseModel):
    """Every error."""

    error: ErrorDetails
