"""The JupyterHub whose service this is: by the environment that the Hub gives its services.

A user's own server has variables of the same names with other values in them: they count only
beside `JUPYTERHUB_SERVICE_NAME`, which a Hub gives to services alone.
"""

from __future__ import annotations

import os
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from twinkle_jupyter.config.section import Section

#: A Hub keeps its own answers for five minutes at most; so do we.
_LONGEST_CACHE_S = 300.0


def told_by_hub(variable: str) -> str:
    """Return what the Hub told its service; empty where this is none."""
    return os.environ.get(variable, "") if os.environ.get("JUPYTERHUB_SERVICE_NAME") else ""


def told_host(otherwise: str) -> str:
    """Return the host that the Hub wants its service to listen on."""
    return urlsplit(told_by_hub("JUPYTERHUB_SERVICE_URL")).hostname or otherwise


def told_port() -> int:
    """Return the port that the Hub wants its service to listen on; 0 where it does not say."""
    return urlsplit(told_by_hub("JUPYTERHUB_SERVICE_URL")).port or 0


class HubSection(Section):
    """Whose users may use the service, beside those with API keys."""

    api_url: str | None = Field(
        default_factory=lambda: told_by_hub("JUPYTERHUB_API_URL") or None,
        pattern="^https?://[^/]+/.*$",
        description="API of a JupyterHub whose users may use the service, such as"
        " http://127.0.0.1:8081/hub/api; a service of the Hub has it from JUPYTERHUB_API_URL",
    )
    api_token: SecretStr | None = Field(
        default_factory=lambda: _secret(told_by_hub("JUPYTERHUB_API_TOKEN")),
        description="the service's own token at the Hub; a service of the Hub has it from"
        " JUPYTERHUB_API_TOKEN",
    )
    use_scope: str = Field(
        default="custom:twinkle:use",
        min_length=1,
        description="scope that a Hub token must have for the service to take it",
    )
    admin_scope: str = Field(
        default="custom:twinkle:admin",
        min_length=1,
        description="scope of a Hub token that makes its user an admin of the service",
    )
    cache_s: float = Field(
        default=30.0,
        gt=0,
        le=_LONGEST_CACHE_S,
        description="seconds for which an answer of the Hub counts: a token that is revoked there"
        " is refused here after so long at the latest",
    )
    keys_per_user: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="API keys that a Hub user may have at once, for clients that take no Hub token",
    )
    grace_days: float = Field(
        default=30.0,
        ge=0,
        le=3650,
        description="days after which what a user leaves is removed, once the Hub has deleted them",
    )
    look_every_s: float = Field(
        default=3600.0, gt=0, le=604_800, description="seconds between looks for deleted users"
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.api_url is None) != (self.api_token is None):
            raise ValueError("`api_url` and `api_token` go together")
        if self.api_token is not None and not self.api_token.get_secret_value().strip("*"):
            raise ValueError(
                "`api_token` is written as it is shown: write it, or set TWINKLE_HUB__API_TOKEN"
            )
        return self

    @property
    def is_set(self) -> bool:
        """Whether there is a Hub."""
        return self.api_url is not None


def _secret(text: str) -> SecretStr | None:
    return SecretStr(text) if text else None
