"""All routes of the Twinkle protocol."""

from __future__ import annotations

from twinkle_jupyter.service.twinkle import (
    health_routes,
    listing_routes,
    processor_routes,
    sampling_routes,
    session_routes,
    setup_routes,
    training_routes,
)

ROUTERS = tuple(
    routes.router
    for routes in (
        *(session_routes, health_routes, listing_routes, setup_routes),
        *(training_routes, sampling_routes, processor_routes),
    )
)
