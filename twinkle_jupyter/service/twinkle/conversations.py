"""Conversations to rows of tokens, by the base model's own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args

from pydantic import JsonValue

from twinkle_jupyter.datasets.layouts import describe_layouts, detect_layout, to_messages
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.service.parts import PromptTemplate
from twinkle_jupyter.service.twinkle.class_names import refuse_others
from twinkle_jupyter.service.twinkle.inputs import IGNORED, Feature, TokenRow, shift

Messages = Sequence[Mapping[str, str]]
Truncation = Literal["raise", "left", "right", "split", "delete"]
_SETTINGS = {
    "model_id": ...,
    "max_length": ...,
    "truncation_strategy": get_args(Truncation),
    "default_system": ...,
    "use_chat_template": True,
    "enable_thinking": ...,
}
_MAX_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """How a client wants conversations encoded."""

    max_length: int = _MAX_LENGTH
    truncation: Truncation = "raise"
    default_system: str = ""

    @classmethod
    def read(cls, settings: Mapping[str, object]) -> Self:
        """Read the arguments of `set_template`.

        Raises:
            InvalidConfigError: One is not known, or has no meaning.
        """
        refuse_others(cast("Mapping[str, JsonValue]", settings), _SETTINGS, "A template")
        length = settings.get("max_length", _MAX_LENGTH)
        system = settings.get("default_system", "")
        if type(length) is not int or length < 1:
            raise InvalidConfigError(f"max_length={length!r} is not a number of tokens.")
        if not isinstance(system, str):
            raise InvalidConfigError(f"default_system={system!r} is not a text.")
        truncation = cast("Truncation", settings.get("truncation_strategy", "raise"))
        return cls(length, truncation, system)

    def messages(self, row: Feature, name: str) -> list[dict[str, str]]:
        """Return a row's messages.

        Raises:
            InvalidDataError: It has none, or they hold something else than text.
        """
        layout = detect_layout(row)
        if layout is None:
            raise InvalidDataError(f"{name} has no conversation: it needs {describe_layouts()}.")
        found = to_messages(cast("Mapping[str, object]", row), layout)
        messages = found if isinstance(found, list) else []
        for place, message in enumerate(messages):
            if not (isinstance(message, dict) and _is_text(message)):
                raise InvalidDataError(
                    f"{name}.messages[{place}] needs a role and a content, both of them text."
                )
        if not messages:
            raise InvalidDataError(f"{name}.messages is not a list of messages.")
        if self.default_system and messages[0]["role"] == "user":
            messages = [{"role": "system", "content": self.default_system}, *messages]
        return cast("list[dict[str, str]]", messages)

    def encode(self, template: PromptTemplate, row: Feature, name: str) -> list[TokenRow]:
        """Return what is learned of a conversation: none, or several, as the truncation says.

        Raises:
            InvalidDataError: The template refuses it, or it is too long.
        """
        encoded = template.encode_conversation(self.messages(row, name))
        pairs = zip(encoded.token_ids, encoded.weights, strict=True)
        labels = tuple(token if weight else IGNORED for token, weight in pairs)
        return self.cut(encoded.token_ids, labels, name)

    def encode_prompt(self, template: PromptTemplate, row: Feature, name: str) -> list[TokenRow]:
        """Return what the model reads before it answers."""
        messages = self.messages(row, name)
        # Data for on-policy sampling ends in an answer that is yet to come.
        while len(messages) > 1 and messages[-1] == {"role": "assistant", "content": ""}:
            messages = messages[:-1]
        tokens = template.encode_prompt(messages)
        return self.cut(tokens, (IGNORED,) * len(tokens), name)

    def cut(self, tokens: tuple[int, ...], labels: tuple[int, ...], name: str) -> list[TokenRow]:
        """Cut (T,) tokens and the label of each to the greatest length."""
        size, limit = len(tokens), self.max_length
        if size <= limit:
            return [TokenRow(tokens, shift(labels))]
        match self.truncation:
            case "raise":
                raise InvalidDataError(
                    f"{name} has {size} tokens, more than max_length={limit}.",
                    "Raise max_length, or set truncation_strategy.",
                )
            case "delete":
                return []
            case "left":
                parts = [slice(size - limit, size)]
            case "right":
                parts = [slice(0, limit)]
            case _:
                parts = [slice(start, start + limit) for start in range(0, size, limit)]
        return [TokenRow(tokens[part], shift(labels[part])) for part in parts]


def _is_text(message: Mapping[str, object]) -> bool:
    return all(isinstance(message.get(name), str) for name in ("role", "content"))
