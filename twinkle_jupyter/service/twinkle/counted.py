"""Rows that count towards their user's quotas from when they come until they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.service.quotas import Admission, Quotas
from twinkle_jupyter.service.twinkle.inputs import TokenRow


@dataclass(slots=True)
class Counted:
    """Of one request that was let in; leaving it tells that the request is answered."""

    admission: Admission
    #: Tokens of its answers so far.
    num_written: int = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What was done is not undone because it cannot be counted; that is let go in time.
        with suppress(ServiceUnavailableError):
            await self.admission.finish(self.num_written)


async def admit(quotas: Quotas, owner: str, rows: Sequence[TokenRow]) -> Counted:
    """Count what a request gives to read.

    Raises:
        InvalidDataError: A row is too long, or they are more than anybody may ever have at once.
        QuotaExceededError: They are more than the user may have now.
    """
    for number, row in enumerate(rows, start=1):
        quotas.check_length(owner, f"Row {number} of inputs", len(row.tokens))
    return Counted(await quotas.admit_tokens(owner, sum(len(row.tokens) for row in rows)))
