"""What admins alone may ask and do: `/admin/…`. Anybody else is told 403."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from twinkle_jupyter.config.limits import UserLimits
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service import admin_notices
from twinkle_jupyter.service.admin_overview import read_overview
from twinkle_jupyter.service.asker import Admin
from twinkle_jupyter.service.notice_bodies import broadcast_body
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema, read_body
from twinkle_jupyter.store.audit import note_act, read_acts
from twinkle_jupyter.store.limit_rows import change_limits, list_changed
from twinkle_jupyter.wire.admin import (
    ActBody,
    AuditBody,
    ChangedLimitsBody,
    ChangeLimitsBody,
    DrainBody,
    DrainStateBody,
    LimitChanges,
    LimitListBody,
    OverviewBody,
    SayBody,
)
from twinkle_jupyter.wire.notices import BroadcastBody

router = APIRouter(prefix="/admin", tags=["admin"])

_NAMES = tuple(LimitChanges.model_fields)


@router.get("/overview")
async def get_overview(parts: Parts, _: Admin) -> OverviewBody:
    """Tell who uses what, and what waits."""
    return await read_overview(parts)


@router.get("/limits")
async def get_limits(parts: Parts, _: Admin) -> LimitListBody:
    """Tell the limits of everybody, and what was changed while the service runs."""
    changed, limits = await list_changed(parts.store), parts.config.limits
    return LimitListBody(
        configured=limits.model_dump(include=set(_NAMES)),
        configured_users=_said(limits.users),
        configured_groups=_said(limits.groups),
        changed=tuple(
            ChangedLimitsBody(scope=scope, name=name, changed=dict(values))
            for scope, name, values in changed
        ),
    )


@router.put("/limits", openapi_extra=body_schema(ChangeLimitsBody))
async def put_limits(request: Request, parts: Parts, admin: Admin) -> ChangedLimitsBody:
    """Change limits of everybody, a group or a user; all replicas know within a second or two."""
    body = await read_body(request, ChangeLimitsBody)
    if (body.scope == "default") == bool(body.name):
        raise InvalidConfigError(
            f"`scope={body.scope}` with `name={body.name!r}` means nobody.",
            "`default` is everybody and has no name; a group or a user has one.",
        )
    changes: dict[str, int | None] = body.changes.model_dump(exclude_unset=True)
    if not changes:
        raise InvalidConfigError("No limit was named.", f"There are: {', '.join(_NAMES)}.")
    changed = await change_limits(parts.store, body.scope, body.name, changes)
    told = ", ".join(
        f"{name}={'as configured' if value is None else value}" for name, value in changes.items()
    )
    whose = f"{body.scope} {body.name}".strip()
    await note_act(parts.store, admin.owner, "limits_changed", whose, told)
    return ChangedLimitsBody(scope=body.scope, name=body.name, changed=dict(changed))


@router.get("/maintenance")
async def get_maintenance(parts: Parts, _: Admin) -> DrainStateBody:
    """Tell whether the service rests, and how many runs have not come to rest yet."""
    return await admin_notices.read_drain(parts.store)


@router.put("/maintenance", openapi_extra=body_schema(DrainBody))
async def drain(request: Request, parts: Parts, admin: Admin) -> DrainStateBody:
    """Take in no new work, and have every run rest at a checkpoint."""
    body = await read_body(request, DrainBody)
    state = await admin_notices.drain(parts.store, admin.owner, body)
    parts.recent.forget()
    return state


@router.delete("/maintenance")
async def undrain(parts: Parts, admin: Admin) -> DrainStateBody:
    """Take in work again; runs that rested because of it go on."""
    state = await admin_notices.undrain(parts.store, admin.owner)
    parts.recent.forget()
    return state


@router.put("/broadcast", openapi_extra=body_schema(SayBody))
async def put_broadcast(request: Request, parts: Parts, admin: Admin) -> BroadcastBody:
    """Tell everybody something for a while."""
    body = await read_body(request, SayBody)
    told = broadcast_body(await admin_notices.say(parts.store, admin.owner, body))
    assert told is not None  # noqa: S101 - of a row there is a body
    return told


@router.delete("/broadcast", status_code=204)
async def delete_broadcast(parts: Parts, admin: Admin) -> None:
    """Say it no longer."""
    await admin_notices.end_broadcast(parts.store, admin.owner)


@router.get("/audit")
async def get_audit(
    parts: Parts,
    _: Admin,
    user: Annotated[str, Query(max_length=200)] = "",
    since: Annotated[datetime | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> AuditBody:
    """Tell who did what, newest first."""
    moment = ""
    if since is not None:
        known = since if since.tzinfo else since.replace(tzinfo=UTC)
        moment = known.astimezone(UTC).isoformat(timespec="milliseconds")
    acts = await read_acts(parts.store, who=user, since=moment, limit=limit)
    return AuditBody(acts=tuple(ActBody(**asdict(act)) for act in acts))


def _said(limits: Mapping[str, UserLimits]) -> dict[str, dict[str, int]]:
    return {name: one.model_dump(exclude_unset=True) for name, one in limits.items()}
