"""Bodies of the OpenAI protocol: chat completions, completions, models.

Fields that we do not know are ignored, as clients of it expect. Those that we know and cannot
honour are refused by whoever reads them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from twinkle_jupyter.wire.stops import StopText, StopTexts

TokenId = Annotated[int, Field(ge=0)]
Bias = Annotated[float, Field(ge=-100, le=100)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TextPart(_Body):
    """A part of a message."""

    type: str
    text: str = ""


class CalledFunction(_Body):
    """A function that an answer called."""

    name: str = Field(min_length=1, max_length=64)
    #: A JSON object, as text.
    arguments: str = "{}"


class ToolCall(_Body):
    """One call of an answer."""

    id: str = ""
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(_Body):
    """One turn of a conversation."""

    role: str = Field(min_length=1, max_length=32)
    content: str | list[TextPart] | None = None
    #: Of the assistant's turn: what it called.
    tool_calls: list[ToolCall] | None = None
    #: Of a turn of `tool`: which call it answers, and of which function.
    tool_call_id: str | None = None
    name: str | None = None


class FunctionSchema(_Body):
    """A function that may be called."""

    name: str = Field(pattern=r"^[\w.-]{1,64}$")
    description: str | None = None
    #: A JSON schema of its arguments.
    parameters: dict[str, JsonValue] = {}


class Tool(_Body):
    """What may be called; there are only functions."""

    type: Literal["function"] = "function"
    function: FunctionSchema


class FunctionName(_Body):
    """A function by its name."""

    name: str


class ChosenTool(_Body):
    """The one function to call."""

    type: Literal["function"] = "function"
    function: FunctionName


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
    stop: StopText | StopTexts | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    #: Not OpenAI's, but what other servers of its protocol take.
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    #: By token id; -100 all but rules it out.
    logit_bias: dict[TokenId, Bias] | None = Field(default=None, max_length=1024)


class ResponseFormat(_Body):
    """What form an answer is to have."""

    type: str = "text"


class ChatBody(GenerationBody):
    """`POST chat/completions`."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


class CompletionBody(GenerationBody):
    """`POST completions`."""

    prompt: str | list[str] | list[int] | list[list[int]]
    echo: bool = False
    #: Likeliest tokens to name at each position; None for no log-probabilities at all.
    logprobs: int | None = Field(default=None, ge=0, le=20)
    suffix: str | None = None


FinishReason = Literal["stop", "length", "tool_calls"]


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
