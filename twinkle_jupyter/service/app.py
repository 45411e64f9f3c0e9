"""The service as one ASGI application; everything it works with comes from outside.

It waits for compute on no event loop, keeps nothing in memory that the store does not have, and
loads no torch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI

from twinkle_jupyter import __version__
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.runs.sweep_progress import SweepProgress
from twinkle_jupyter.service.adapter_files import AdapterFiles, NoAdapterFiles
from twinkle_jupyter.service.auth import ApiKeyGate
from twinkle_jupyter.service.error_bodies import UnexpectedErrors, add_error_bodies
from twinkle_jupyter.service.exports import Exports
from twinkle_jupyter.service.hub_api import HubApi
from twinkle_jupyter.service.hub_users import HubUsers
from twinkle_jupyter.service.last_seen import LastSeen
from twinkle_jupyter.service.maintenance import MaintenanceGate
from twinkle_jupyter.service.overview import Overview
from twinkle_jupyter.service.parts import ServedModel, ServiceParts
from twinkle_jupyter.service.protocols import include_routes
from twinkle_jupyter.service.quotas import Quotas
from twinkle_jupyter.service.request_bodies import BodyLimit
from twinkle_jupyter.service.tinker.state import TinkerState
from twinkle_jupyter.service.twinkle.state import TwinkleState
from twinkle_jupyter.service.under_prefix import UnderPrefix
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.recent_row import RecentRows


def create_app(
    store: StateStore,
    config: ServiceConfig,
    *,
    compute: Callable[[str], Awaitable[ServedModel]],
    check_base_model: Callable[[str], None],
    adapter_files: AdapterFiles | None = None,
    quota_store: StateStore | None = None,
) -> FastAPI:
    """Put the application together. The store stays the caller's to close.

    Args:
        store: Where everything is kept.
        config: Folders, limits, and the base model's name.
        compute: Returns the base model of this name, or raises `ServiceUnavailableError` at once
            while it is not loaded.
        check_base_model: Raises for a base model that nobody can load; may block.
        adapter_files: Writes exports and reads imports; without it both are refused.
        quota_store: The same store, opened for what need not survive a power cut; `store` itself
            where there is none.
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
    quotas = Quotas(quota_store or store, config.limits)
    recent = RecentRows(store)
    parts = ServiceParts(store, config, compute, check_base_model, quotas, recent)
    app.state.parts = parts
    app.state.adapter_files = adapter_files or NoAdapterFiles()
    app.state.exports = Exports(parts, app.state.adapter_files)
    app.state.sweep_progress = SweepProgress(store)
    app.state.overview = Overview(parts)
    tinker_state = TinkerState.of(parts)
    app.state.tinker = tinker_state
    app.state.twinkle = TwinkleState.of(parts, tinker_state)
    include_routes(app)
    add_error_bodies(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=config.http.max_request_bytes)
    hub = HubUsers(config.hub, HubApi(config.hub)) if config.hub.is_set else None
    app.state.hub = hub
    app.add_middleware(MaintenanceGate, rows=recent)
    app.add_middleware(LastSeen, store=quota_store or store)
    app.add_middleware(ApiKeyGate, store=store, quotas=quotas, hub=hub)
    app.add_middleware(UnexpectedErrors)
    if config.http.prefix:
        app.add_middleware(UnderPrefix, prefix=config.http.prefix)
    return app
