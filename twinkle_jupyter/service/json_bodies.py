"""JSON as it comes over the wire, and only JSON: what cannot be stored or sent on is refused here.

Python's own reader also takes `NaN`, halves of surrogate pairs, and any depth of nesting.
"""

from __future__ import annotations

import asyncio
import math
import re
from typing import cast

from fastapi import Request
from pydantic import JsonValue
from pydantic_core import from_json

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.error_bodies import INVALID_REQUEST

#: A number that may be beyond what a float holds.
_MAYBE_INFINITE = re.compile(rb"[0-9][eE]\+?[0-9]{3}|[0-9]{300}")
#: Bytes above which reading is worth a thread.
_MANY = 65_536


async def read_json(raw: bytes) -> JsonValue:
    """Read a body; a large one on a thread. Raises as `parse_json`."""
    return parse_json(raw) if len(raw) < _MANY else await asyncio.to_thread(parse_json, raw)


def parse_json(raw: bytes) -> JsonValue:
    """Read a body.

    Raises:
        InvalidConfigError: It is no JSON, not UTF-8, too deep, or has a number that is not finite.
    """
    try:
        value = cast("JsonValue", from_json(raw, allow_inf_nan=False))
    except ValueError as error:
        raise InvalidConfigError(f"The body is not JSON: {error}.", "", INVALID_REQUEST) from error
    if _MAYBE_INFINITE.search(raw):
        _check_finite(value)
    return value


def _check_finite(value: JsonValue) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidConfigError(
            "The body has a number that no float can hold.", "Send a smaller one.", INVALID_REQUEST
        )
    if isinstance(value, dict):
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        _check_finite(part)


class JsonRequest(Request):
    """A request whose `json` takes JSON and nothing else."""

    async def json(self) -> JsonValue:
        """Read the body; raises as `parse_json`."""
        return await read_json(await self.body())
