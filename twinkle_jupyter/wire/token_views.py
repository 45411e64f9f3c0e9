"""Bodies of `POST /tokens`: a conversation as the tokens that a run would train on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints


class TokensBody(BaseModel):
    """A conversation, and how to read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    messages: tuple[dict[str, JsonValue], ...] = Field(min_length=1, max_length=1000)
    #: Functions that may be called, as JSON schemas.
    tools: tuple[dict[str, JsonValue], ...] = Field(default=(), max_length=1000)
    #: What becomes of the reasoning before an answer.
    reasoning: Literal["keep", "strip"] = "keep"
    #: Empty: the service's own.
    base_model: Annotated[str, StringConstraints(max_length=1000)] = ""
    loss_mask: Annotated[str, StringConstraints(max_length=100)] = "all-assistant"
    #: Tokens from this position on are shown as cut; None cuts nothing.
    max_length: int | None = Field(default=None, ge=1, le=1_000_000)
    #: Say how likely each token is to this adapter, such as `pirate` or `pirate@40`, and to its
    #: base model; `base` for that alone. Empty: nothing is computed.
    adapter: Annotated[str, StringConstraints(max_length=1000)] = ""


class TokenColumnsBody(BaseModel):
    """The tokens as columns, (T,) long."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: tuple[int, ...]
    text: tuple[str, ...]
    #: Of the message that a token belongs to; empty before the first.
    role: tuple[str, ...]
    #: 0 where it is read and not learned.
    weight: tuple[float, ...]
    special: tuple[bool, ...]
    #: Characters of the row's text.
    start: tuple[int, ...]
    end: tuple[int, ...]
    #: Natural-log probability of each token with the adapter, and with the base model alone; None
    #: for the first and for what is cut. Empty where it was not asked for.
    logprob: tuple[float | None, ...] = ()
    base_logprob: tuple[float | None, ...] = ()


class RowFaultBody(BaseModel):
    """Something that is wrong with the row."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    sentence: str
    severity: str
    #: The first token to blame and the one after the last; None where no token is.
    tokens: tuple[int, int] | None = None


class TokenViewBody(BaseModel):
    """A row as tokens, what is cut included."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    base_model: str
    #: Whose log-probabilities the tokens have; empty: of none, or of the base model alone.
    adapter: str = ""
    loss_mask: str
    #: Rules that there are.
    loss_masks: tuple[str, ...]
    max_length: int | None
    #: Tokens that carry loss.
    num_learned: int
    #: Ids that end an answer.
    stop_token_ids: tuple[int, ...]
    tokens: TokenColumnsBody
    faults: tuple[RowFaultBody, ...] = ()
