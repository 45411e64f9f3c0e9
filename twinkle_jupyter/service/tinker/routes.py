"""All routes of the Tinker protocol."""

from __future__ import annotations

from twinkle_jupyter.service.tinker import (
    download_routes,
    sampling_routes,
    session_routes,
    training_routes,
    weights_routes,
)

#: Those of longer paths before those that take any path.
ROUTERS = tuple(
    routes.router
    for routes in (
        *(session_routes, training_routes, sampling_routes),
        *(download_routes, weights_routes),
    )
)
