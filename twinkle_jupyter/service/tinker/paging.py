"""Pages of a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from pydantic import JsonValue

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0)]


def cursor(limit: int, offset: int, rows: Sequence[object]) -> dict[str, JsonValue]:
    """Say which page of all rows this is."""
    return {"limit": limit, "offset": offset, "total_count": len(rows)}
