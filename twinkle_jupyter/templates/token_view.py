"""A conversation as the tokens that are trained on, each with what a person wants to see of it.

For people's eyes: what a run learns comes from `encode_rows`, of which this is a picture.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypedDict

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import Fault, FaultJson
from twinkle_jupyter.templates.encode_rows import Reasoning, Record, RowEncoder
from twinkle_jupyter.templates.encoded_conversation import EncodedConversation
from twinkle_jupyter.templates.loss_mask import LossMask, count_same
from twinkle_jupyter.templates.message_form import Messages, Tools

#: Of what the template writes before the first message.
NO_ROLE = ""
_OTHER_WORDS = "xyzzyq"

#: The first character of a token, and the one after its last.
Place: TypeAlias = tuple[int, int]


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
    faults: list[FaultJson]


@dataclass(frozen=True, slots=True)
class TokenView:
    """One row as tokens."""

    #: What was tokenised.
    text: str
    #: (T,) of the whole row, what is cut included.
    tokens: tuple[ViewedToken, ...]
    #: Tokens from this position on are cut; None where nothing cuts.
    max_length: int | None = None
    #: What is wrong with the row, with the place of each.
    faults: tuple[Fault, ...] = ()

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
            "faults": [fault.to_json() for fault in self.faults],
        }


def view_tokens(
    messages: Messages,
    template: ChatTemplate,
    loss_mask: LossMask = "all-assistant",
    max_length: int | None = None,
    tools: Tools = (),
    reasoning: Reasoning = "keep",
) -> TokenView:
    """Return a conversation as tokens; raises as `view_row`."""
    encoder = RowEncoder(template, loss_mask, max_length, reasoning)
    return view_row({"messages": messages, "tools": tools}, encoder)


def view_row(record: Record, encoder: RowEncoder, row: int = 1) -> TokenView:
    """Return a row as tokens, with its faults.

    A row that is refused because no mask of it is certain has tokens without weights; one that the
    template cannot write has neither text nor tokens.

    Args:
        record: Messages, and functions that may be called.
        encoder: Has the template and the settings of the run.
        row: Its number, for the faults.
    """
    template = encoder.template
    messages, tools = encoder.prepare(record)
    encoded, findings = encoder.encode(record)
    faults = tuple(finding.in_row(row) for finding in findings)
    if encoded is None:
        encoded = _encode_unlearned(messages, template, tools)
    special = template.special_token_ids
    places = template.find_places(encoded.text)
    roles = _find_roles(messages, tools, template, encoded, places)
    tokens = [
        ViewedToken(token_id, template.token_text(token_id), role, weight, token_id in special, *at)
        for token_id, role, weight, at in zip(
            encoded.token_ids, roles, encoded.weights, places, strict=True
        )
    ]
    return TokenView(encoded.text, tuple(tokens), encoder.max_length, faults)


def _encode_unlearned(
    messages: Messages, template: ChatTemplate, tools: Tools
) -> EncodedConversation:
    try:
        text = template.render(messages, tools=tools)
    except InvalidDataError:
        return EncodedConversation((), (), "")
    ids = template.tokenise(text)
    return EncodedConversation(ids, (0.0,) * len(ids), text)


def _find_roles(
    messages: Messages,
    tools: Tools,
    template: ChatTemplate,
    encoded: EncodedConversation,
    places: list[Place],
) -> list[str]:
    """Return (T,) the role of each token: a message goes to where the text without the rest ends.

    A template that writes a message otherwise once others follow has the border where the words of
    that message end, and the mark that may come after them.
    """
    token_ids = encoded.token_ids
    ends = [_find_start(messages[0], tools, template, token_ids)]
    for count in range(1, len(messages)):
        shared = template.count_shared(messages[:count], token_ids, tools)
        words = _find_words_end(messages, count - 1, tools, template, encoded.text)
        said = bisect_left([start for start, _ in places], words)
        if said > shared:
            shared = said + (said < len(token_ids) and token_ids[said] in template.stop_token_ids)
        ends.append(max(ends[-1], shared))
    ends.append(len(token_ids))
    roles = [NO_ROLE] * ends[0]
    for message, start, end in zip(messages, ends, ends[1:], strict=False):
        roles += [str(message["role"])] * (end - start)
    return roles


def _find_words_end(
    messages: Messages, i: int, tools: Tools, template: ChatTemplate, text: str
) -> int:
    """Return the place in `text` after the content of a message; 0 where it has none to see."""
    others = [*messages[:i], {**messages[i], "content": _OTHER_WORDS}, *messages[i + 1 :]]
    try:
        changed = template.render(others, tools=tools)
    except InvalidDataError:
        return 0
    return len(text) - count_same(changed[::-1], text[::-1]) if messages[i].get("content") else 0


def _find_start(
    first: Mapping[str, object], tools: Tools, template: ChatTemplate, token_ids: Sequence[int]
) -> int:
    """Return where the first message begins: some templates put a system's message before it.

    With another role the text differs from the role's name on; the mark before it is the beginning.
    """
    other = "user" if first["role"] == "assistant" else "assistant"
    shared = template.count_shared([{**first, "role": other}], token_ids, tools)
    marks = template.special_token_ids
    return next((i for i in range(shared - 1, -1, -1) if token_ids[i] in marks), 0)
