"""The Twinkle protocol over a real socket, with the true engine on the tiny model behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.client.live_service import LiveService
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.store.records import BaseModelRow

#: A row of tokens, and what is to be learned after each.
ROW = {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, 7, 8, 9, -100]}
OTHER = {"input_ids": [9, 8, 7], "labels": [8, 7, -100]}


@dataclass
class TwinkleUser:
    """A client that sends what the stock one sends, and what it would not."""

    http: httpx.Client
    session: str = ""

    def begin(self) -> str:
        self.http.headers.pop("X-Twinkle-Session-Id", None)
        self.session = self.gateway("create_session").raise_for_status().json()["session_id"]
        self.http.headers["X-Twinkle-Session-Id"] = self.session
        return self.session

    def gateway(self, route: str, /, **body: object) -> httpx.Response:
        return self.http.post(f"/api/v1/twinkle/{route}", json=body)

    def model(self, route: str, /, adapter: str = "a", **body: object) -> httpx.Response:
        content = {"adapter_name": adapter, **body}
        return self.http.post(f"/api/v1/model/tiny/twinkle/{route}", json=content)

    def sampler(self, route: str, /, **body: object) -> httpx.Response:
        return self.http.post(f"/api/v1/sampler/tiny/twinkle/{route}", json=body)

    def processor(self, route: str, /, **body: object) -> httpx.Response:
        return self.http.post(f"/api/v1/processor/twinkle/{route}", json=body)

    def add(self, name: str = "a", lora: dict[str, object] | None = None, **more: object) -> str:
        """Add an adapter; return its whole name."""
        config = lora or {"r": 4, "lora_alpha": 8}
        answer = self.model("add_adapter_to_model", name, config=config, **more)
        whole: str = answer.raise_for_status().json()["adapter_name"]
        return whole

    def result(self, route: str, /, adapter: str = "a", **body: object) -> Any:
        return self.model(route, adapter, **body).raise_for_status().json()["result"]

    def do(self, route: str, /, adapter: str = "a", **body: object) -> None:
        answer = self.model(route, adapter, **body)
        assert (answer.status_code, answer.json()) == (200, None), answer.text

    def logps(self, adapter: str = "a") -> list[list[float]]:
        logps: list[list[float]] = self.result("forward_only", adapter, inputs=[ROW])["logps"]
        return logps


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[LiveService]:
    home = tmp_path_factory.mktemp("twinkle-protocol")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        with LiveService(home / "twinkle", tiny_model) as service:
            row = BaseModelRow("tiny", "ready", folder=str(tiny_model))
            service.call(service.store.put(BaseModelRow.key("tiny"), row.to_row()))
            yield service


def _user(live: LiveService, key: str) -> TwinkleUser:
    headers = {"Twinkle-Authorization": f"Bearer {key}"}
    return TwinkleUser(httpx.Client(base_url=live.connection.url, headers=headers, timeout=60))


@pytest.fixture
def anna(live: LiveService) -> Iterator[TwinkleUser]:
    user = _user(live, live.connection.api_key)
    with user.http:
        user.begin()
        yield user


@pytest.fixture
def ben(live: LiveService) -> Iterator[TwinkleUser]:
    user = _user(live, live.call(create_key(live.store, "ben")))
    with user.http:
        user.begin()
        yield user
