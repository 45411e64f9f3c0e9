"""Clients of others talk to the service that the journeys have."""

from __future__ import annotations

from tests.journeys.conftest import service

__all__ = ["service"]
