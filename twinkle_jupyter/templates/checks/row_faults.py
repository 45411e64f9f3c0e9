"""Faults that only show between rows: the same row twice, an eval row that is trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from twinkle_jupyter.templates.checks.fault import Fault, Finding


def digest_row(record: Mapping[str, object]) -> bytes:
    """Return what two rows share if they are the same and else never."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def find_duplicates(digests: Sequence[bytes]) -> Iterator[Fault]:
    """Yield each row that repeats an earlier one."""
    first: dict[bytes, int] = {}
    for row, digest in enumerate(digests, start=1):
        if (earlier := first.setdefault(digest, row)) != row:
            yield Finding("duplicate_row", f"it is the same as row {earlier}").in_row(row)


def find_eval_in_train(
    digests: Sequence[bytes], train: Sequence[int], evaluation: Sequence[int]
) -> Iterator[Fault]:
    """Yield each eval row that is trained on as well.

    Args:
        digests: Of all rows.
        train: Indexes of the rows that are trained on.
        evaluation: Indexes of those kept for the eval loss.
    """
    trained = {digests[index]: index + 1 for index in reversed(train)}
    for index in evaluation:
        if (row := trained.get(digests[index])) is not None:
            sentence = f"it is kept for the eval loss, and row {row}, the same, is trained on"
            yield Finding("eval_in_train", sentence).in_row(index + 1)
