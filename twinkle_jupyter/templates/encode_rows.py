"""Checked records to training examples, with the faults that were found on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.example import Example
from twinkle_jupyter.templates.chat_template import ChatTemplate, EncodedConversation
from twinkle_jupyter.templates.checks import Fault, check_examples
from twinkle_jupyter.templates.loss_mask import LossMask, Messages


def encode_rows(
    records: Sequence[Mapping[str, Messages]],
    template: ChatTemplate,
    loss_mask: LossMask,
    max_length: int,
) -> tuple[list[Example], list[Fault]]:
    """Return one example a record, cut at the end to `max_length` tokens, and all faults.

    Nothing is refused here but what cannot be encoded at all: give the faults to
    `checks.raise_refusals`.

    Raises:
        InvalidDataError: The template cannot write a row; the message names the row.
    """
    conversations = [
        _encode_row(record["messages"], row, template, loss_mask)
        for row, record in enumerate(records, start=1)
    ]
    examples = [
        Example.from_sequence(one.token_ids[:max_length], one.weights[:max_length])
        for one in conversations
    ]
    return examples, check_examples(conversations, template, max_length)


def _encode_row(
    messages: Messages, row: int, template: ChatTemplate, loss_mask: LossMask
) -> EncodedConversation:
    try:
        return template.encode_conversation(messages, loss_mask)
    except InvalidDataError as error:
        raise InvalidDataError(f"Row {row}, {error.message}", error.hint) from error
