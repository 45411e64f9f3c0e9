"""Faults of examples that would train without complaint and teach something else.

Each has a stable code, a sentence and a severity: `refuse` stops the run before its first step,
`warn` is shown. Faults of a template and its use, not of the records' form, which
`datasets/record_checks.py` has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.templates.chat_template import ChatTemplate, EncodedConversation

Severity = Literal["refuse", "warn"]
_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one row."""

    #: Stable name of the kind of fault.
    code: str
    #: What is wrong, without the row and without a full stop.
    sentence: str
    #: 1, 2, 3, … in the order of the records.
    row: int
    severity: Severity


def check_examples(
    conversations: Sequence[EncodedConversation], template: ChatTemplate, max_length: int
) -> list[Fault]:
    """Return every fault of the conversations when they are cut to `max_length` tokens."""
    return [
        Fault(code, sentence, row, severity)
        for row, conversation in enumerate(conversations, start=1)
        for code, sentence, severity in _check_one(conversation, template, max_length)
    ]


def raise_refusals(faults: Sequence[Fault]) -> None:
    """Raise when one of the faults refuses the run, naming the first five and the count of all.

    Raises:
        InvalidDataError: At least one fault has the severity `refuse`.
    """
    refusals = [fault for fault in faults if fault.severity == "refuse"]
    if not refusals:
        return
    shown = "; ".join(f"row {fault.row}: {fault.sentence}" for fault in refusals[:_MAX_SHOWN])
    more = len(refusals) - _MAX_SHOWN
    tail = f"; and {more} more like these" if more > 0 else ""
    raise InvalidDataError(
        f"These rows would not teach what they say: {shown}{tail}.", "No step was taken."
    )


def _check_one(
    conversation: EncodedConversation, template: ChatTemplate, max_length: int
) -> Iterator[tuple[str, str, Severity]]:
    ids, weights = conversation.token_ids, conversation.weights
    learned = [i for i, weight in enumerate(weights) if weight]
    is_cut = bool(learned) and learned[-1] >= max_length
    # The first token is never predicted, so it teaches nothing whatever its weight.
    if not any(0 < i < max_length for i in learned):
        yield "no_supervised_token", _say_nothing_learned(learned, max_length), "refuse"
    elif is_cut:
        yield (
            "answer_cut",
            f"the answer ends at token {learned[-1] + 1} and is cut at max_length={max_length},"
            " so its end is not learned",
            "warn",
        )
    elif not any(ids[i] in template.stop_token_ids for i in learned):
        yield (
            "no_stop_token",
            "no stop token is learned, so the model would never stop",
            "refuse",
        )
    if template.bos_token_id is not None and ids[:2] == (template.bos_token_id,) * 2:
        yield "doubled_bos", "the text begins with the begin token twice", "refuse"
    if not conversation.prompts_match:
        yield (
            "prompt_differs",
            "the tokens before the answer differ from those that the model reads when it is asked",
            "warn",
        )


def _say_nothing_learned(learned: Sequence[int], max_length: int) -> str:
    if not learned:
        return "no token of it is learned"
    return (
        f"no token is learned, since the answer begins at token {learned[0] + 1},"
        f" after max_length={max_length}"
    )
