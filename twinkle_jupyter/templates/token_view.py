"""A conversation as the tokens that are trained on, each with what a person wants to see of it.

For people's eyes: what a run learns comes from `encode_rows`, of which this is a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.loss_mask import LossMask, Messages

#: Of what the template writes before the first message.
NO_ROLE = ""


@dataclass(frozen=True, slots=True)
class ViewedToken:
    """One token of a row."""

    id: int
    #: What it stands for; `�` where it is a part of a character.
    text: str
    #: Of the message that it belongs to, with what the template writes around that message.
    role: str
    #: Loss weight; 0 where it is read and not learned.
    weight: float
    #: Whether text cannot make it, only the template.
    special: bool
    #: Characters `start` up to before `end` of the row's text; the tokens of one character share
    #: its place.
    start: int
    end: int


class TokenColumns(TypedDict):
    """The tokens of a view as columns, all (T,) long."""

    id: list[int]
    text: list[str]
    role: list[str]
    weight: list[float]
    special: list[bool]
    start: list[int]
    end: list[int]


class TokenViewJson(TypedDict):
    """A view in JSON."""

    text: str
    max_length: int | None
    tokens: TokenColumns


@dataclass(frozen=True, slots=True)
class TokenView:
    """One row as tokens."""

    #: What was tokenised.
    text: str
    #: (T,) of the whole row, what is cut included.
    tokens: tuple[ViewedToken, ...]
    #: Tokens from this position on are cut; None where nothing cuts.
    max_length: int | None = None

    @property
    def num_learned(self) -> int:
        """Tokens that carry loss: the first is never predicted, and what is cut is not there."""
        return sum(1 for token in self.tokens[1 : self.max_length] if token.weight)

    def to_json(self) -> TokenViewJson:
        """Return the view for a panel: columns are half the size of a list of objects."""
        tokens = self.tokens
        return {
            "text": self.text,
            "max_length": self.max_length,
            "tokens": {
                "id": [token.id for token in tokens],
                "text": [token.text for token in tokens],
                "role": [token.role for token in tokens],
                "weight": [token.weight for token in tokens],
                "special": [token.special for token in tokens],
                "start": [token.start for token in tokens],
                "end": [token.end for token in tokens],
            },
        }


def view_tokens(
    messages: Messages,
    template: ChatTemplate,
    loss_mask: LossMask = "all-assistant",
    max_length: int | None = None,
) -> TokenView:
    """Return a conversation as tokens.

    Raises:
        InvalidDataError: As `ChatTemplate.encode_conversation`.
    """
    encoded = template.encode_conversation(messages, loss_mask)
    roles = _find_roles(messages, template, encoded.token_ids)
    special = template.special_token_ids
    places = template.find_places(encoded.text)
    tokens = [
        ViewedToken(token_id, template.token_text(token_id), role, weight, token_id in special, *at)
        for token_id, role, weight, at in zip(
            encoded.token_ids, roles, encoded.weights, places, strict=True
        )
    ]
    return TokenView(encoded.text, tuple(tokens), max_length)


def _find_roles(messages: Messages, template: ChatTemplate, token_ids: Sequence[int]) -> list[str]:
    """Return (T,) the role of each token: a message goes to where the text without the rest ends.

    A template that writes a message otherwise once others follow leaves the border a few tokens
    early; that moves a colour and no loss weight.
    """
    ends = [0]
    for count in range(1, len(messages)):
        ends.append(max(ends[-1], template.count_shared(messages[:count], token_ids)))
    ends.append(len(token_ids))
    roles: list[str] = []
    for message, start, end in zip(messages, ends, ends[1:], strict=False):
        roles += [str(message["role"])] * (end - start)
    return roles
