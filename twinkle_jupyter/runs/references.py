"""What an adapter said of each answer before its first step: dpo compares with it ever after.

Each example is scored once, by the trainer and with the run's own adapter, which is then the base
model or the adapter that the run begins with. The numbers are on disk before the first step is
sent: a run that is driven anew, and a fork, go on with the very same.

The file has an entry an example, added as they come: 16 bytes that identify it, how many of its
targets are learned, and as many log-probabilities, fp64 little-endian. An entry that was cut off is
not there.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from twinkle_jupyter.errors import RunFailedError, ServiceUnavailableError
from twinkle_jupyter.example import Example
from twinkle_jupyter.runs.batches import Batches
from twinkle_jupyter.scheduling.request import ForwardBackwardResult

REFERENCE_FILE = "reference.bin"
#: Examples of one op at most.
_AT_ONCE = 16
_HEAD = struct.Struct("<16sI")


class References:
    """The reference of one run; made, and `take` called, on a thread.

    Args:
        folder: Of the run.
        batches: Its rows, without references.
    """

    def __init__(self, folder: Path, batches: Batches) -> None:
        self._path = folder / REFERENCE_FILE
        self._batches = batches
        examples = chain.from_iterable((*batches.train, *batches.evaluation))
        self._wanted = (
            {_digest(example): example for example in examples} if batches.needs_reference else {}
        )
        self._known = dict(self._read()) if self._wanted else {}
        self._pending = deque(key for key in self._wanted if key not in self._known)
        self._with_references = self._build()

    @property
    def num_wanted(self) -> int:
        """Examples that are different."""
        return len(self._wanted)

    @property
    def num_known(self) -> int:
        """How many of them have been scored."""
        return len(self._wanted) - len(self._pending)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return not self._pending

    def batches(self) -> Batches:
        """Return the rows, with their references once these are whole."""
        return self._with_references

    def next_examples(self) -> tuple[Example, ...]:
        """Return what is to be scored next; empty where nothing is missing."""
        return tuple(self._wanted[key] for key in islice(self._pending, _AT_ONCE))

    def take(self, result: ForwardBackwardResult) -> bool:
        """Write the scores of `next_examples` to disk; tell whether all are there now.

        Raises:
            ServiceUnavailableError: They cannot be written.
        """
        scored = {
            key: _learned(self._wanted[key], logprobs)
            for key, logprobs in zip(self._pending, result.logprobs, strict=False)
        }
        entries = [
            _HEAD.pack(key, len(learned)) + struct.pack(f"<{len(learned)}d", *learned)
            for key, learned in scored.items()
        ]
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(entries))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ServiceUnavailableError(
                f"The reference log-probabilities cannot be written: {error.strerror}.",
                "Free some space, then try again.",
            ) from error
        self._known |= scored
        for _ in scored:
            self._pending.popleft()
        self._with_references = self._build()
        return self.is_whole

    def _build(self) -> Batches:
        """Put references to all rows, which takes a while; built once, wherever `take` runs."""
        if not self._wanted or self._pending:
            return self._batches
        return self._batches.with_examples(self._with_reference)

    def _with_reference(self, example: Example) -> Example:
        learned = iter(self._known[_digest(example)])
        reference = tuple(next(learned) if weight else 0.0 for weight in example.weights)
        return replace(example, sampled_logprobs=reference)

    def _read(self) -> Iterator[tuple[bytes, tuple[float, ...]]]:
        """Yield what is on disk, and cut off what is not whole."""
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        place = 0
        while place + _HEAD.size <= len(content):
            key, count = _HEAD.unpack_from(content, place)
            end = place + _HEAD.size + 8 * count
            if end > len(content):
                break
            yield key, struct.unpack_from(f"<{count}d", content, place + _HEAD.size)
            place = end
        if place < len(content):
            os.truncate(self._path, place)


def check_is_first(references: References, step: int, first_step: int) -> None:
    """Refuse to score with an adapter that has learned something already.

    Raises:
        RunFailedError: It has: what was on disk is gone.
    """
    if step >= first_step:
        raise RunFailedError(
            f"The reference log-probabilities of {references.num_wanted - references.num_known:,}"
            f" answers are gone, and the run is at step {step} already.",
            "Start it again.",
        )


def _learned(example: Example, logprobs: Sequence[float]) -> tuple[float, ...]:
    return tuple(value for value, weight in zip(logprobs, example.weights, strict=True) if weight)


def _digest(example: Example) -> bytes:
    learned = bytes(bool(weight) for weight in example.weights)
    ids = struct.pack(f"<{len(example.tokens)}q", *example.tokens)
    targets = struct.pack(f"<{len(example.targets)}q", *example.targets)
    return hashlib.blake2b(ids + targets + learned, digest_size=16).digest()
