"""Names of futures: each says what it is of, so that any replica can answer, at any time.

What a client waits for is in the trainer's journal, not here: there is nothing to lose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

from pydantic import JsonValue

from twinkle_jupyter.errors import NotFoundError

FutureKind = Literal[
    "create_model",
    "load_new",
    "load_weights",
    "unload_model",
    "forward_backward",
    "optim_step",
    "save_weights",
    "sample",
]
_KINDS = frozenset(get_args(FutureKind))
#: What the detail of a kind looks like: a number of targets, a learning rate as Python writes it.
_DETAILS = {
    "forward_backward": re.compile(r"[0-9]{1,9}"),
    "optim_step": re.compile(r"-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}"),
}


@dataclass(frozen=True, slots=True)
class FutureName:
    """One future."""

    kind: FutureKind
    #: The client's own.
    sequence_id: int
    #: An adapter, or a sampling session.
    target: str
    #: What only this kind needs; may be empty.
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.sequence_id}/{self.target}/{self.detail}"

    def as_body(self) -> dict[str, JsonValue]:
        """Return what a client that sent the request is answered."""
        return {"request_id": str(self), "model_id": self.target}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name; raises NotFoundError for what is none."""
        kind, number, target, detail = (*text.split("/", 3), "", "", "", "")[:4]
        is_known = kind in _KINDS and number.isdecimal() and len(number) <= 19 and target
        expected = _DETAILS.get(kind)
        if not is_known or (expected is not None and not expected.fullmatch(detail)):
            raise NotFoundError(f"There is no request {text!r}.")
        if kind == "optim_step":
            _check_number(text, detail)
        return cls(kind, int(number), target, detail)  # type: ignore[arg-type]


def _check_number(text: str, detail: str) -> None:
    try:
        float.fromhex(detail)
    except OverflowError as error:
        raise NotFoundError(f"There is no request {text!r}.") from error
