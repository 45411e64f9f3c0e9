"""Which protocols the service speaks, and below which path each is found."""

from __future__ import annotations

from fastapi import FastAPI

from twinkle_jupyter.service import (
    admin_routes,
    event_routes,
    export_routes,
    health_routes,
    key_routes,
    metric_routes,
    native_routes,
    overview_routes,
    record_routes,
    sample_routes,
    share_routes,
    steering_routes,
    sweep_routes,
    token_routes,
    usage_routes,
)
from twinkle_jupyter.service.openai import chat_routes, completion_routes, model_routes
from twinkle_jupyter.service.tinker.routes import ROUTERS as TINKER_ROUTERS
from twinkle_jupyter.service.twinkle.routes import ROUTERS as TWINKLE_ROUTERS
from twinkle_jupyter.wire.native import ErrorBody

_PREFIX = "/api/v1"
#: Clients of the OpenAI protocol look in the first; those that came by another in these.
_OPENAI_PREFIXES = ("/v1", "/oai/api/v1", _PREFIX)

_NATIVE = (
    *(native_routes, steering_routes, sweep_routes, event_routes),
    *(sample_routes, export_routes, record_routes, token_routes, usage_routes),
    *(key_routes, admin_routes, share_routes, overview_routes),
)
_OPENAI = (chat_routes, completion_routes, model_routes)


def include_routes(app: FastAPI) -> None:
    """Have the application answer every protocol."""
    app.include_router(health_routes.router)
    app.include_router(metric_routes.router)
    # Routes are looked through in this order: first those that are asked many times a second.
    for router in (*TINKER_ROUTERS, *TWINKLE_ROUTERS):
        app.include_router(router, prefix=_PREFIX)
    for openai in _OPENAI:
        for prefix in _OPENAI_PREFIXES:
            app.include_router(openai.router, prefix=prefix)
    for native in _NATIVE:
        app.include_router(
            native.router, prefix=_PREFIX, responses={"default": {"model": ErrorBody}}
        )
