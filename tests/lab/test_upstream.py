"""The extension's one client of the service: what is no longer wanted gives back what it had."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.client.live_service import LiveService
from twinkle_jupyter.lab import upstream as module
from twinkle_jupyter.lab.upstream import Upstream, authorization


async def test_requests_that_are_cut_off_while_they_begin_use_no_connection_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 2)
    with LiveService(tmp_path) as live:
        upstream = Upstream(live.connection.url, live.connection.api_key)
        url = f"{live.connection.url}/api/v1/runs"

        async def ask() -> None:
            headers = authorization(live.connection)
            answer = await upstream.open(upstream.client.build_request("GET", url, headers=headers))
            await answer.aclose()

        for number in range(150):
            asked = asyncio.create_task(ask())
            for _ in range(number % 15):  # as far as this many turns of the loop
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

        await asyncio.wait_for(ask(), 5)
        await upstream.close()
