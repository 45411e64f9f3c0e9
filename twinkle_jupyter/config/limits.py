"""What each user may have of the service at once; as much as there is, unless limits are set."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

_MOST = 2**50


class Limits(BaseModel):
    """Quotas of each user, which hold over all replicas of the service. 0 is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapters: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="adapters by name, and those that clients hold in sessions; 0 is no limit",
    )
    queued_tokens: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="tokens of requests that are taken in and not yet answered; 0 is no limit",
    )
    tokens_per_minute: int = Field(
        default=0,
        ge=0,
        le=_MOST,
        description="tokens read and written in any minute; 0 is no limit",
    )
    requests_per_second: int = Field(
        default=0, ge=0, le=_MOST, description="requests in any second; 0 is no limit"
    )
    longest_input: int = Field(
        default=0, ge=0, le=_MOST, description="tokens of one row or prompt; 0 is no limit"
    )

    @property
    def are_set(self) -> bool:
        """Whether there is any."""
        return any(self.model_dump().values())
