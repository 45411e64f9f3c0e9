"""All routes of the Tinker protocol."""

from __future__ import annotations

from twinkle_jupyter.service.tinker import (
    sampling_routes,
    session_routes,
    training_routes,
    weights_routes,
)

ROUTERS = tuple(
    routes.router for routes in (session_routes, training_routes, weights_routes, sampling_routes)
)
