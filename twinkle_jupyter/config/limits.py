"""What each user may have of the service at once; as much as there is, unless limits are set."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, Field

_MOST = 2**50


class UserLimits(BaseModel):
    """Quotas of one user, which hold over all replicas of the service. 0 is no limit."""

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

    def changed_by(self, other: UserLimits) -> UserLimits:
        """Return these with what the other one says."""
        return UserLimits(**{**self.model_dump(), **other.model_dump(exclude_unset=True)})

    def or_more(self, other: UserLimits) -> UserLimits:
        """Return the larger one of each limit; none at all is the largest."""
        mine, theirs = self.model_dump(), other.model_dump()
        return UserLimits(
            **{
                name: max(mine[name], theirs[name]) if mine[name] and theirs[name] else 0
                for name in UserLimits.model_fields
            }
        )


class Limits(UserLimits):
    """Quotas of everybody, and what is said of single users and groups beside."""

    users: dict[str, UserLimits] = Field(
        default_factory=dict,
        description="limits of single users, by owner (`hub:anna` is Anna of the JupyterHub); the"
        " rest is as for everybody",
    )
    groups: dict[str, UserLimits] = Field(
        default_factory=dict,
        description="limits of the users of a JupyterHub group, by name; who is in several has the"
        " largest of each limit",
    )

    def of(self, owner: str, groups: Collection[str] = ()) -> UserLimits:
        """Return what one user may have: as said of them, else of their groups, else of all."""
        everybody = UserLimits(**self.model_dump(include=set(UserLimits.model_fields)))
        mine = [everybody.changed_by(self.groups[name]) for name in groups if name in self.groups]
        found = mine[0] if mine else everybody
        for other in mine[1:]:
            found = found.or_more(other)
        return found.changed_by(self.users[owner]) if owner in self.users else found
