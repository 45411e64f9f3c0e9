"""Typed identifiers: which string is which, and how a new one is made."""

from __future__ import annotations

import secrets
from typing import NewType

RunId = NewType("RunId", str)
AdapterId = NewType("AdapterId", str)
SweepId = NewType("SweepId", str)
#: Number of optimizer steps that an adapter's weights have seen.
AdapterVersion = NewType("AdapterVersion", int)

#: Lower-case letters and digits that cannot be mistaken for one another.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def _new(prefix: str) -> str:
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(12))}"


def new_run_id() -> RunId:
    """Make an identifier that no other run has."""
    return RunId(_new("run"))


def new_adapter_id() -> AdapterId:
    """Make an identifier that no other adapter has."""
    return AdapterId(_new("adapter"))


def new_sweep_id() -> SweepId:
    """Make an identifier that no other sweep has."""
    return SweepId(_new("sweep"))


def new_error_id() -> str:
    """Make an identifier under which a traceback is logged."""
    return _new("error")
