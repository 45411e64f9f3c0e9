"""What an admin tells everybody, as every client is told it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class BroadcastBody(BaseModel):
    """A message for everybody, until its time is over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    message: str
    level: Literal["info", "warning"]
    #: ISO 8601, UTC.
    sent_at: str
    expires_at: str


class MaintenanceBody(BaseModel):
    """The service rests: no new work is taken in, and runs wait at a checkpoint."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    message: str
    #: ISO 8601, UTC.
    since: str
    #: When it is expected to be over; empty for nobody knows.
    until: str
