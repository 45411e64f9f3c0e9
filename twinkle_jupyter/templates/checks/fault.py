"""One fault of one row, and what becomes of faults: a refusal, or sentences that are shown.

Each kind has a stable code, a severity and a place. `refuse` stops the run before its first step,
`warn` is shown. They are faults of a template and its use; of the records' form there is
`datasets/record_checks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from twinkle_jupyter.errors import InvalidDataError

Severity = Literal["refuse", "warn"]
FaultJson: TypeAlias = "dict[str, str | int | list[int] | None]"

#: Every code with its severity. `special_in_text` is refused where an answer would end early,
#: `answer_cut` where two answers are compared, `weight_unused` where it is 0.
FAULTS: Mapping[str, Severity] = {
    "template_refuses": "refuse",
    "roles_refused": "refuse",
    "no_supervised_token": "refuse",
    "no_stop_token": "refuse",
    "doubled_bos": "refuse",
    "prompt_text_differs": "refuse",
    "prompt_tokens_differ": "warn",
    "answer_cut": "warn",
    "empty_answer": "refuse",
    "system_dropped": "refuse",
    "message_dropped": "refuse",
    "tools_dropped": "refuse",
    "reasoning_stripped": "refuse",
    "mask_on_prompt": "refuse",
    "answer_outside_mask": "refuse",
    "weight_unused": "warn",
    "outside_vocabulary": "refuse",
    "unknown_token": "warn",
    "special_in_text": "warn",
    "equal_answers": "refuse",
    "duplicate_row": "warn",
    "eval_in_train": "warn",
}
_MAX_SHOWN = 5
_MAX_ROWS = 3
_MAX_EXCERPT = 40


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one row."""

    #: Stable name of the kind of fault, one of `FAULTS`.
    code: str
    #: What is wrong, without the row and without a full stop.
    sentence: str
    #: 1, 2, 3, … in the order of the records.
    row: int
    severity: Severity
    #: 1, 2, 3, … where one message is to blame.
    message: int | None = None
    #: The first token and the one after the last, where tokens are to blame.
    tokens: tuple[int, int] | None = None
    #: The beginning of the text that is to blame; may be empty.
    excerpt: str = ""

    @property
    def place(self) -> str:
        """Row and message, for people."""
        return f"row {self.row}" + (f", message {self.message}" if self.message else "")

    def to_json(self) -> FaultJson:
        """Return the fault for a panel."""
        tokens = list(self.tokens) if self.tokens else None
        return {**asdict(self), "tokens": tokens}


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault whose row is not known where it is found."""

    code: str
    sentence: str
    message: int | None = None
    tokens: tuple[int, int] | None = None
    excerpt: str = ""
    #: None for that of the code.
    severity: Severity | None = None

    def in_row(self, row: int) -> Fault:
        """Return the fault."""
        severity = self.severity or FAULTS[self.code]
        text = self.excerpt
        excerpt = text if len(text) <= _MAX_EXCERPT else f"{text[:_MAX_EXCERPT]}…"
        return Fault(self.code, self.sentence, row, severity, self.message, self.tokens, excerpt)


def raise_refusals(faults: Sequence[Fault], hint: str = "No step was taken.") -> None:
    """Raise when one of the faults refuses the run, naming the first five and the count of all.

    Raises:
        InvalidDataError: At least one fault has the severity `refuse`.
    """
    refusals = [fault for fault in faults if fault.severity == "refuse"]
    if not refusals:
        return
    shown = "; ".join(f"{fault.place}: {fault.sentence}" for fault in refusals[:_MAX_SHOWN])
    more = len(refusals) - _MAX_SHOWN
    tail = f"; and {more} more like these" if more > 0 else ""
    raise InvalidDataError(f"These rows would not teach what they say: {shown}{tail}.", hint)


def sum_up_warnings(faults: Sequence[Fault]) -> list[str]:
    """Return one sentence for each kind of fault that is shown and does not refuse the run."""
    by_code: dict[str, list[Fault]] = {}
    for fault in faults:
        if fault.severity == "warn":
            by_code.setdefault(fault.code, []).append(fault)
    return [_sum_up(found) for found in by_code.values()]


def _sum_up(found: Sequence[Fault]) -> str:
    first = found[0]
    rows = list(dict.fromkeys(fault.row for fault in found))
    others = len(rows) - 1
    named = ", ".join(str(row) for row in rows[1 : 1 + _MAX_ROWS])
    ending = ", …" if others > _MAX_ROWS else ""
    also = f" (as in {others:,} more: {named}{ending})" if others else ""
    return f"{first.place[0].upper()}{first.place[1:]}: {first.sentence}{also}. [{first.code}]"
