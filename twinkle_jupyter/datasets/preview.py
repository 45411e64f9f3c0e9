"""What data are, before anything is trained on them: counts, lengths, shares, problems.

Every row is read and its form checked; tokens are counted in all rows of a small set, and in a
sample of a large one that thins out as it goes on. Nothing grows with the number of rows.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from twinkle_jupyter.datasets.file_rows import PlacedRow, describe_file
from twinkle_jupyter.datasets.layouts import is_preference
from twinkle_jupyter.datasets.named_files import find_file
from twinkle_jupyter.datasets.preferences import SIDES, check_preferences
from twinkle_jupyter.datasets.record_checks import check_records
from twinkle_jupyter.datasets.records import Purpose, convert_row, place_rows

if TYPE_CHECKING:
    from twinkle_jupyter.templates.checks.fault import Finding
    from twinkle_jupyter.templates.encode_pairs import PairEncoder
    from twinkle_jupyter.templates.encode_rows import Record as EncoderRecord
    from twinkle_jupyter.templates.encode_rows import RowEncoder
    from twinkle_jupyter.templates.encoded_conversation import EncodedConversation
    from twinkle_jupyter.templates.message_form import Messages

    _Side: TypeAlias = tuple[EncoderRecord, EncodedConversation | None]

#: Rows whose tokens are counted before the sample thins out.
ALL_OF_ROWS = 500
#: Rows of the sample before every second one of them is left out.
_THINS_OUT_AFTER = 250
_MAX_PROBLEMS = 5
#: Characters of the row that is shown.
_MAX_SHOWN = 1200


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one row."""

    #: A whole sentence, less the full stop, that names the row.
    sentence: str
    #: Whether a run would be refused for it.
    refuses: bool


@dataclass(slots=True)
class Preview:
    """What is known of the rows that were read so far."""

    name: str
    #: Such as `JSON Lines` or `a DataFrame`.
    kind: str
    max_length: int
    num_rows: int = 0
    #: How many rows of each layout.
    layouts: Counter[str] = field(default_factory=Counter)
    #: Rows that are no conversation to learn from.
    num_unusable: int = 0
    #: Rows whose tokens were counted.
    num_measured: int = 0
    #: Rows by their number of tokens; of a sample, each row counts for those that it stands for.
    #: A preference is two: the prompt with each of its answers.
    lengths: Counter[int] = field(default_factory=Counter)
    #: Tokens of what each role says, and under "template" of what is written around it.
    role_tokens: Counter[str] = field(default_factory=Counter)
    num_learned: int = 0
    #: The first problems that refuse a run, and the first others.
    problems: list[Problem] = field(default_factory=list)
    num_refused: int = 0
    num_warned: int = 0
    #: The first row that can be learned from, as pieces of text and whether each is learned.
    shown: list[tuple[str, bool]] = field(default_factory=list)
    #: Whether reading was interrupted.
    is_partial: bool = False

    @property
    def is_sample(self) -> bool:
        """Whether tokens were counted in some of the rows only."""
        return self.num_measured < self.num_rows - self.num_unusable

    @property
    def has_pairs(self) -> bool:
        """Whether rows are two answers to choose between."""
        return self.layouts["preference"] > 0

    @property
    def num_tokens(self) -> int:
        """Tokens of all rows, uncut; an estimate where they are a sample."""
        return sum(length * count for length, count in self.lengths.items())

    @property
    def num_cut_rows(self) -> int:
        """Rows longer than `max_length`."""
        return sum(count for length, count in self.lengths.items() if length > self.max_length)

    @property
    def num_cut_tokens(self) -> int:
        """Tokens beyond `max_length`."""
        over = ((length - self.max_length, count) for length, count in self.lengths.items())
        return sum(beyond * count for beyond, count in over if beyond > 0)

    def length_at(self, share: float) -> int:
        """Return the length that this share of the rows does not exceed; 0 without lengths."""
        wanted, seen = share * self.lengths.total(), 0
        for length in sorted(self.lengths):
            seen += self.lengths[length]
            if seen >= wanted:
                return length
        return 0

    def note(self, sentence: str, *, refuses: bool) -> None:
        """Count a problem, and keep it if it is one of the first."""
        if refuses:
            self.num_refused += 1
        else:
            self.num_warned += 1
        if (self.num_refused if refuses else self.num_warned) <= _MAX_PROBLEMS:
            self.problems.append(Problem(sentence, refuses))


class Measure:
    """Counts the tokens of rows as a run of these settings would have them.

    Args:
        encoder: Has the template and the settings of the run.
    """

    def __init__(self, encoder: RowEncoder) -> None:
        self._encoder = encoder
        self._pairs: PairEncoder | None = None
        self._stride = 1
        self._next = 0
        self._left = ALL_OF_ROWS
        # Not every n-th row: data may repeat with n. The seed is fixed, so that the same comes out.
        self._random = random.Random(0)  # noqa: S311 - not for secrets

    def add(self, preview: Preview, row: PlacedRow, record: Mapping[str, object]) -> None:
        """Take a row that can be learned from, if it is one of the sample."""
        index = preview.num_rows - preview.num_unusable - 1
        if index != self._next:
            return
        if self._left == 0:
            self._stride, self._left = self._stride * 2, _THINS_OUT_AFTER
        self._left -= 1
        block = index - index % self._stride + self._stride
        self._next = block + self._random.randrange(self._stride)
        preview.num_measured += 1
        sides, findings = self._encode(record)
        for fault in (finding.in_row(preview.num_rows) for finding in findings):
            place = f"{row.place}, message {fault.message}" if fault.message else row.place
            preview.note(f"{place}: {fault.sentence}", refuses=fault.severity == "refuse")
        is_first = not preview.shown
        for cleaned, encoded in sides:
            if encoded is not None:
                self._count(preview, cleaned, encoded)
                if is_first:
                    gap = [("\n\n", False)] if preview.shown else []
                    preview.shown += [*gap, *self._pieces(encoded)]

    def _encode(self, record: Mapping[str, object]) -> tuple[Sequence[_Side], Sequence[Finding]]:
        """Return a row's conversation, or the two of a preference, and what is wrong with it."""
        if not is_preference(record):
            [checked] = check_records([record])
            cleaned = cast("EncoderRecord", checked)
            encoded, findings = self._encoder.encode(cleaned)
            return [(cleaned, encoded)], findings
        # Here and not above: the kernel loads no template for anything else.
        from twinkle_jupyter.templates.answer_sides import side_record
        from twinkle_jupyter.templates.encode_pairs import PairEncoder

        if self._pairs is None:
            encoder = self._encoder
            self._pairs = PairEncoder(encoder.template, encoder.max_length, encoder.reasoning)
        [preference] = check_preferences([record])
        pair = cast("Mapping[str, Messages]", preference)
        both, findings = self._pairs.encode(pair)
        records = [side_record(pair, side) for side in SIDES]
        return list(zip(records, both, strict=True)), findings

    def _count(self, preview: Preview, record: EncoderRecord, encoded: EncodedConversation) -> None:
        preview.lengths[len(encoded.token_ids)] += self._stride
        preview.num_learned += self._stride * sum(1 for weight in encoded.weights if weight)
        rest = len(encoded.token_ids)
        messages, _ = self._encoder.prepare(record)
        for message in messages:
            # By itself: within the whole, a token may reach over the border.
            count = len(self._encoder.template.tokenise(str(message.get("content") or "")))
            preview.role_tokens[str(message["role"])] += self._stride * count
            rest -= count
        preview.role_tokens["template"] += self._stride * max(0, rest)

    def _pieces(self, encoded: EncodedConversation) -> list[tuple[str, bool]]:
        pieces: list[tuple[list[int], bool]] = []
        for token_id, weight in zip(encoded.token_ids, encoded.weights, strict=True):
            if not pieces or pieces[-1][1] != bool(weight):
                pieces.append(([], bool(weight)))
            pieces[-1][0].append(token_id)
        shown: list[tuple[str, bool]] = []
        left = _MAX_SHOWN
        for ids, is_learned in pieces:
            text = self._encoder.template.tokenizer.decode(ids, skip_special_tokens=False)
            if left <= 0:
                break
            shown.append((text if len(text) <= left else f"{text[:left]}…", is_learned))
            left -= len(text)
        return shown


def read_preview(
    source: object,
    name: str,
    max_length: int,
    measure: Measure | None,
    purpose: Purpose | None = None,
) -> Iterator[Preview]:
    """Read a source, yielding the same preview after every row, so that one can stop anywhere.

    Args:
        source: As `load_records` takes it.
        name: What it is called; empty for a path's own.
        max_length: Tokens at which a run would cut.
        measure: What counts tokens; None leaves them out.
        purpose: What the rows are to be; None for what their fields say.

    Raises:
        InvalidDataError: The source as a whole cannot be read, or is empty.
        MissingDependencyError: Parquet without `pyarrow`.
    """
    shown, rows = place_rows(source, name)
    preview = Preview(shown, _kind_of(source), max_length)
    for row in rows:
        preview.num_rows += 1
        layout, record, faults = convert_row(row, purpose)
        if layout is not None:
            preview.layouts[layout] += 1
        if faults:
            preview.num_unusable += 1
            for fault in faults:
                preview.note(fault, refuses=True)
        elif measure is not None:
            measure.add(preview, row, record)
        yield preview


def _kind_of(source: object) -> str:
    if isinstance(source, str | Path):
        return describe_file(find_file(source))
    if hasattr(source, "columns"):
        return "a DataFrame"
    if hasattr(source, "features") and not isinstance(source, Mapping):
        return "a `datasets` object"
    return "a list"
