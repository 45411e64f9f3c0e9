"""Body of `GET /usage`, as `docs/reference/limits.md` has it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LimitBody(BaseModel):
    """One limit, and how much of it a user has."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    #: 0 is no limit.
    limit: int
    #: None where it is not counted.
    used: int | None
    #: Seconds until some of it is free again; None where that is not a matter of time.
    frees_in_s: float | None


class UsageBody(BaseModel):
    """All limits of one user."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    limits: tuple[LimitBody, ...]
