"""Faults that the text of a message shows: an answer that says nothing, a special token typed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import Finding
from twinkle_jupyter.templates.message_form import REASONING, Messages

#: What people write around reasoning on purpose; some tokenizers call it special.
_REASONING_TAGS = {"<think>", "</think>"}


class SpecialText:
    """Finds special tokens of one template in what people wrote."""

    def __init__(self, template: ChatTemplate) -> None:
        self._stops = {template.token_text(i) for i in template.stop_token_ids}
        texts = {template.token_text(i) for i in template.special_token_ids} - _REASONING_TAGS
        # Longest first, as the tokenizer takes them. White space is nobody's mistake.
        ordered = sorted(filter(str.strip, texts), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def find(self, messages: Messages, turns: Mapping[int, float]) -> Iterator[Finding]:
        """Yield the first special token of each message, and each learned answer without words."""
        for i, message in enumerate(messages):
            said = [text for text in map(message.get, ("content", REASONING)) if _is_text(text)]
            is_answer = i in turns and message["role"] == "assistant"
            if is_answer and not _says_something(message):
                yield Finding("empty_answer", "the answer is empty", i + 1)
            hit = next((hit for text in said if (hit := self._search(str(text)))), "")
            if hit:
                ends = is_answer and hit in self._stops
                yield Finding(
                    "special_in_text",
                    f"{hit!r} in the {message['role']}'s text is read as a special token"
                    + (", and the answer would end there" if ends else ""),
                    i + 1,
                    excerpt=hit,
                    severity="refuse" if ends else None,
                )

    def _search(self, text: str) -> str:
        hit = self._pattern.search(text) if self._pattern else None
        return hit[0] if hit else ""


def _says_something(message: Mapping[str, object]) -> bool:
    content = message.get("content")
    return bool(message.get("tool_calls")) or (isinstance(content, str) and bool(content.strip()))


def _is_text(value: object) -> bool:
    return isinstance(value, str)
