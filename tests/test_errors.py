"""The exception tree, and its codes in the reference."""

from __future__ import annotations

import pickle  # noqa: TID251 - Ray does
import re
from pathlib import Path

import pytest

from twinkle_jupyter.errors import CANCELLED, MAINTENANCE, SENT_BEFORE, STARTING, TwinkleError
from twinkle_jupyter.service.error_bodies import INVALID_REQUEST

KINDS: list[type[TwinkleError]] = [
    TwinkleError,
    *(kind for kind in TwinkleError.__subclasses__() if kind.__module__ == TwinkleError.__module__),
]
DOCS = Path(__file__).parents[1] / "docs" / "reference" / "errors.md"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind: type[TwinkleError]) -> None:
    error = kind("What is wrong.", "What to do.", "a_code")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(back), back.message, back.hint, back.code, str(back)) == (
        kind, "What is wrong.", "What to do.", "a_code", "What is wrong. What to do.",
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS[1:])
def test_an_error_is_also_the_standard_one(kind: type[TwinkleError]) -> None:
    assert len(kind.__bases__) == 2
    assert kind("x").code == kind.code != TwinkleError.code


def test_every_code_has_a_heading_and_every_heading_a_code() -> None:
    headings = re.findall(r"^## (\w+)$", DOCS.read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(
        [
            *(INVALID_REQUEST, STARTING, MAINTENANCE, CANCELLED, SENT_BEFORE),
            *(kind.code for kind in KINDS),
        ]
    )
