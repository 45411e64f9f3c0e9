"""The service as one ASGI application; everything it works with comes from outside.

It waits for compute on no event loop, keeps nothing in memory that the store does not have, and
loads no torch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI

from twinkle_jupyter import __version__
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.runs.sweep_progress import SweepProgress
from twinkle_jupyter.service import (
    event_routes,
    export_routes,
    native_routes,
    record_routes,
    sample_routes,
    steering_routes,
    sweep_routes,
    token_routes,
)
from twinkle_jupyter.service.adapter_files import AdapterFiles, NoAdapterFiles
from twinkle_jupyter.service.auth import ApiKeyGate
from twinkle_jupyter.service.error_bodies import UnexpectedErrors, add_error_bodies
from twinkle_jupyter.service.exports import Exports
from twinkle_jupyter.service.openai import chat_routes, completion_routes, model_routes
from twinkle_jupyter.service.parts import ServedModel, ServiceParts
from twinkle_jupyter.service.request_bodies import BodyLimit
from twinkle_jupyter.service.tinker import (
    sampling_routes,
    session_routes,
    training_routes,
    weights_routes,
)
from twinkle_jupyter.service.tinker.state import TinkerState
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.wire.native import ErrorBody, HealthBody

#: Clients of the OpenAI protocol look in the first; those that came by another in these.
_OPENAI_PREFIXES = ("/v1", "/oai/api/v1", "/api/v1")

_health = APIRouter(tags=["service"])


@_health.get("/healthz")
async def get_health() -> HealthBody:
    """Answer, without a key, that the service answers."""
    return HealthBody()


def create_app(
    store: StateStore,
    config: ServiceConfig,
    *,
    compute: Callable[[str], Awaitable[ServedModel]],
    check_base_model: Callable[[str], None],
    adapter_files: AdapterFiles | None = None,
) -> FastAPI:
    """Put the application together. The store stays the caller's to close.

    Args:
        store: Where everything is kept.
        config: Folders, limits, and the base model's name.
        compute: Returns the base model of this name, or raises `ServiceUnavailableError` at once
            while it is not loaded.
        check_base_model: Raises for a base model that nobody can load; may block.
        adapter_files: Writes exports and reads imports; without it both are refused.
    """
    app = FastAPI(
        title="twinkle-jupyter",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A browser's path with or without a slash at the end is not worth a redirect.
        redirect_slashes=False,
    )
    parts = ServiceParts(store, config, compute, check_base_model)
    app.state.parts = parts
    app.state.adapter_files = adapter_files or NoAdapterFiles()
    app.state.exports = Exports(parts, app.state.adapter_files)
    app.state.sweep_progress = SweepProgress(store)
    app.state.tinker = TinkerState.of(parts)
    app.include_router(_health)
    for routes in (
        *(native_routes, steering_routes, sweep_routes),
        *(event_routes, sample_routes, export_routes, record_routes, token_routes),
    ):
        app.include_router(
            routes.router, prefix="/api/v1", responses={"default": {"model": ErrorBody}}
        )
    for tinker in (session_routes, training_routes, weights_routes, sampling_routes):
        app.include_router(tinker.router, prefix="/api/v1")
    for openai in (chat_routes, completion_routes, model_routes):
        for prefix in _OPENAI_PREFIXES:
            app.include_router(openai.router, prefix=prefix)
    add_error_bodies(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=config.http.max_request_bytes)
    app.add_middleware(ApiKeyGate, store=store)
    app.add_middleware(UnexpectedErrors)
    return app
