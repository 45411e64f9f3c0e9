"""One request to a service: sent with the key, and answered well or raised."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from twinkle_jupyter.client.discovery import Connection
from twinkle_jupyter.client.errors_from_wire import raise_for_answer, unreachable

Params = Mapping[str, str | int]


def ask(
    connection: Connection,
    method: str,
    path: str,
    body: object = None,
    *,
    params: Params | None = None,
    timeout_s: float = 30.0,
) -> httpx.Response:
    """Send one request and return its answer.

    Args:
        connection: Where, and with which key.
        method: Such as `GET`.
        path: Below `/api/v1`.
        body: JSON; None for no body.
        params: Of the query.
        timeout_s: Until the service counts as away.

    Raises:
        ServiceUnavailableError: The service does not answer.
        TwinkleError: What it says.
    """
    try:
        answer = httpx.request(
            method,
            f"{connection.url}/api/v1{path}",
            params=params,
            json=body,
            headers={"Authorization": f"Bearer {connection.api_key}"},
            timeout=timeout_s,
            trust_env=not connection.is_local,
        )
    except httpx.TransportError as error:
        raise unreachable(error, connection, timeout_s) from error
    raise_for_answer(answer, connection)
    return answer
