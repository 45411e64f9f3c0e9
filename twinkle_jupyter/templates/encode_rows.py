"""Checked records to training examples, with the faults that were found on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import Fault, Finding
from twinkle_jupyter.templates.checks.kept_words import KeptWords
from twinkle_jupyter.templates.checks.row_faults import digest_row, find_duplicates
from twinkle_jupyter.templates.checks.text_faults import SpecialText
from twinkle_jupyter.templates.checks.token_faults import find_token_faults
from twinkle_jupyter.templates.checks.weight_faults import find_unused_weights
from twinkle_jupyter.templates.encoded_conversation import EncodedConversation
from twinkle_jupyter.templates.loss_mask import LossMask, PromptDiffersError, find_learned_turns
from twinkle_jupyter.templates.message_form import Messages, Tools, strip_reasoning

#: `messages`, and `tools` where functions may be called.
Record: TypeAlias = Mapping[str, Messages]
Reasoning: TypeAlias = Literal["keep", "strip"]


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as examples, and what is wrong with them."""

    #: One a row, cut to the greatest length; empty ones where a row cannot be written at all.
    examples: list[Example]
    faults: list[Fault]
    #: One a row: the same for rows that are the same.
    digests: list[bytes]


class RowEncoder:
    """Encodes and checks rows, one after another.

    Args:
        template: Of the base model.
        loss_mask: What is learned.
        max_length: Tokens of a row, a longer one is cut at its end; None cuts none.
        reasoning: Whether what the assistant thought is learned with what it said.
    """

    def __init__(
        self,
        template: ChatTemplate,
        loss_mask: LossMask,
        max_length: int | None,
        reasoning: Reasoning = "keep",
    ) -> None:
        self.template, self.max_length = template, max_length
        self._loss_mask = loss_mask
        self.reasoning = reasoning
        self._words = KeptWords(template, loss_mask)
        self._special = SpecialText(template)

    def encode(self, record: Record) -> tuple[EncodedConversation | None, list[Finding]]:
        """Return a row's tokens, None where it cannot be written, and what is wrong with it."""
        messages, tools = self.prepare(record)
        turns = find_learned_turns(messages, self._loss_mask)
        findings = list(self._special.find(messages, turns))
        findings += find_unused_weights(messages, self._loss_mask)
        try:
            encoded = self.template.encode_conversation(messages, self._loss_mask, tools)
        except InvalidDataError as error:
            return None, [*findings, self._say_refused(error, messages, tools)]
        findings += self._words.find(messages, tools)
        findings += find_token_faults(encoded, self.template, self.max_length)
        return encoded, findings

    def prepare(self, record: Record) -> tuple[Messages, Tools]:
        """Return what of a record is written: its messages and its functions."""
        messages = record["messages"]
        return strip_reasoning(messages) if self.reasoning == "strip" else messages, record.get(
            "tools", ()
        )

    def encode_all(self, records: Sequence[Record]) -> EncodedRows:
        """Return all rows, faults between them included."""
        examples, faults, digests = [], [], []
        for row, record in enumerate(records, start=1):
            encoded, findings = self.encode(record)
            faults += [finding.in_row(row) for finding in findings]
            digests.append(digest_row(record))
            examples.append(self._cut(encoded))
        return EncodedRows(examples, [*faults, *find_duplicates(digests)], digests)

    def _cut(self, encoded: EncodedConversation | None) -> Example:
        if encoded is None:
            return Example((), (), ())
        size = self.max_length
        return Example.from_sequence(encoded.token_ids[:size], encoded.weights[:size])

    def _say_refused(self, error: InvalidDataError, messages: Messages, tools: Tools) -> Finding:
        sentence = " ".join(
            filter(None, (error.message.rstrip("."), f"({error.hint.rstrip('.')})"))
        )
        if isinstance(error, PromptDiffersError):
            return Finding("prompt_text_differs", sentence)
        place = next(_find_repeated_roles(messages), None)
        if place is None:
            return Finding("template_refuses", error.message.rstrip("."))
        try:
            self.template.render(list(_without_repeated_roles(messages)), tools=tools)
        except InvalidDataError:
            return Finding("template_refuses", error.message.rstrip("."))
        role = messages[place]["role"]
        return Finding(
            "roles_refused",
            f"the model's template takes no second message of the {role} after another"
            f" ({error.message.rpartition(': ')[2].rstrip('.')})",
            place + 1,
        )


def encode_rows(
    records: Sequence[Record], template: ChatTemplate, loss_mask: LossMask, max_length: int
) -> EncodedRows:
    """Return one example a record, cut at the end to `max_length` tokens, and all faults.

    Nothing is refused here: give the faults to `checks.fault.raise_refusals`.
    """
    return RowEncoder(template, loss_mask, max_length).encode_all(records)


def _find_repeated_roles(messages: Messages) -> Iterator[int]:
    for i in range(1, len(messages)):
        if messages[i]["role"] == messages[i - 1]["role"]:
            yield i


def _without_repeated_roles(messages: Messages) -> Iterator[Mapping[str, object]]:
    repeated = set(_find_repeated_roles(messages))
    yield from (message for i, message in enumerate(messages) if i not in repeated)
