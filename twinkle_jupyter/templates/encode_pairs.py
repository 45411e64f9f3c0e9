"""Preference rows to pairs of examples, with the faults of both sides.

Compared are the answers' own tokens: what the assistant says in `chosen` and in `rejected`, never
what it says in the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.answer_sides import CHOSEN, REJECTED, side_record
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import Fault, Finding
from twinkle_jupyter.templates.checks.row_faults import digest_row, find_duplicates
from twinkle_jupyter.templates.checks.weight_faults import compare_weights
from twinkle_jupyter.templates.encode_rows import Reasoning, RowEncoder
from twinkle_jupyter.templates.encoded_conversation import EncodedConversation
from twinkle_jupyter.templates.loss_mask import find_learned_turns
from twinkle_jupyter.templates.message_form import Messages

#: The chosen and the rejected answer, each with the prompt.
Pair: TypeAlias = tuple[Example, Example]
_EMPTY = Example((), (), ())
_WEIGHTS_UNREAD = "where two answers are compared, weights are not read"


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """Rows as pairs of examples, and what is wrong with them."""

    #: One a row; empty examples where an answer cannot be written at all.
    pairs: list[Pair]
    faults: list[Fault]
    #: One a row: the same for rows that are the same.
    digests: list[bytes]


class PairEncoder:
    """Encodes and checks preference rows, one after another.

    Args:
        template: Of the base model.
        max_length: Tokens of prompt and answer at most.
        reasoning: Whether what the assistant thought is compared with what it said.
    """

    def __init__(
        self, template: ChatTemplate, max_length: int | None, reasoning: Reasoning = "keep"
    ) -> None:
        self.rows = RowEncoder(template, "custom", max_length, reasoning)

    def encode(
        self, record: Mapping[str, Messages]
    ) -> tuple[tuple[EncodedConversation | None, EncodedConversation | None], list[Finding]]:
        """Return the tokens of both sides, None where one cannot be written, and what is wrong."""
        chosen, of_chosen = self._encode_side(record, CHOSEN)
        rejected, of_rejected = self._encode_side(record, REJECTED)
        findings = [
            _of_pair(finding, "" if finding in of_rejected else CHOSEN) for finding in of_chosen
        ]
        findings += [
            _of_pair(finding, REJECTED) for finding in of_rejected if finding not in of_chosen
        ]
        if chosen is not None and rejected is not None and chosen.token_ids == rejected.token_ids:
            sentence = "the chosen and the rejected answer are the same tokens"
            findings.append(Finding("equal_answers", sentence))
        return (chosen, rejected), findings

    def _encode_side(
        self, record: Mapping[str, Messages], side: str
    ) -> tuple[EncodedConversation | None, list[Finding]]:
        conversation = side_record(record, side)
        encoded, findings = self.rows.encode(conversation)
        turns = find_learned_turns(conversation["messages"], "custom")
        written = [*record["prompt"], *record[side]]
        return encoded, [*findings, *compare_weights(written, turns, _WEIGHTS_UNREAD)]

    def encode_all(self, records: Sequence[Mapping[str, Messages]]) -> EncodedPairs:
        """Return all rows, faults between them included."""
        pairs: list[Pair] = []
        faults, digests = [], []
        for row, record in enumerate(records, start=1):
            (chosen, rejected), findings = self.encode(record)
            faults += [finding.in_row(row) for finding in findings]
            digests.append(digest_row(record))
            pairs.append((_example(chosen), _example(rejected)))
        return EncodedPairs(pairs, [*faults, *find_duplicates(digests)], digests)


def _of_pair(finding: Finding, side: str) -> Finding:
    """Say of which side it is; a cut answer cannot be compared, so that it refuses the run."""
    severity = "refuse" if finding.code == "answer_cut" else finding.severity
    sentence = f"{side}: {finding.sentence}" if side else finding.sentence
    return replace(finding, sentence=sentence, severity=severity)


def _example(encoded: EncodedConversation | None) -> Example:
    return Example.from_sequence(encoded.token_ids, encoded.weights) if encoded else _EMPTY
