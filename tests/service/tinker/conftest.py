"""The Tinker protocol over a real socket, with the true engine on the tiny model behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.client.live_service import LiveService
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.store.records import BaseModelRow

ROW = (5, 6, 7, 8, 9, 10)


@dataclass
class TinkerUser:
    """A client that sends what stock ones send, in whatever order a test likes."""

    http: httpx.Client
    session: str = ""
    models: list[str] = field(default_factory=list)

    def post(self, route: str, /, **body: object) -> httpx.Response:
        return self.http.post(f"/api/v1/{route}", json=body)

    def begin(self) -> str:
        self.session = self.post("create_session").raise_for_status().json()["session_id"]
        return self.session

    def create_model(self, **lora: object) -> str:
        """Return a new model's id, once it is there."""
        number = len(self.models)
        body = {"session_id": self.session, "model_seq_id": number, "base_model": "tiny"}
        lora = {"rank": 4, "seed": 1, **lora}
        answer = self.post("create_model", **body, lora_config=lora).raise_for_status().json()
        assert self.result(answer["request_id"]) == {
            "type": "create_model",
            "model_id": answer["model_id"],
        }
        self.models.append(answer["model_id"])
        return self.models[-1]

    def forward_backward(
        self, model: str, number: int, *rows: tuple[int, ...], loss: str = "cross_entropy"
    ) -> httpx.Response:
        data = [
            {
                "model_input": {"chunks": [{"type": "encoded_text", "tokens": row[:-1]}]},
                "loss_fn_inputs": {
                    "target_tokens": {"data": row[1:], "dtype": "int64", "shape": [len(row) - 1]}
                },
            }
            for row in rows or (ROW,)
        ]
        inputs = {"data": data, "loss_fn": loss}
        return self.post(
            "forward_backward", model_id=model, seq_id=number, forward_backward_input=inputs
        )

    def optim_step(self, model: str, number: int, rate: float = 0.01) -> httpx.Response:
        adam = {"learning_rate": rate}
        return self.post("optim_step", model_id=model, seq_id=number, adam_params=adam)

    def retrieve(self, request_id: str) -> httpx.Response:
        return self.post("retrieve_future", request_id=request_id)

    def result(self, request_id: str) -> dict[str, object]:
        answer = self.retrieve(request_id)
        assert answer.status_code == 200, answer.text
        return cast("dict[str, object]", answer.json())


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[LiveService]:
    home = tmp_path_factory.mktemp("tinker")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        with LiveService(home / "twinkle", tiny_model) as service:
            row = BaseModelRow("tiny", "ready", folder=str(tiny_model))
            service.call(service.store.put(BaseModelRow.key("tiny"), row.to_row()))
            yield service


def _user(live: LiveService, key: str) -> TinkerUser:
    http = httpx.Client(base_url=live.connection.url, headers={"X-API-Key": key}, timeout=60)
    return TinkerUser(http)


@pytest.fixture
def anna(live: LiveService) -> Iterator[TinkerUser]:
    user = _user(live, live.connection.api_key)
    with user.http:
        user.begin()
        yield user


@pytest.fixture
def ben(live: LiveService) -> Iterator[TinkerUser]:
    user = _user(live, live.call(create_key(live.store, "ben")))
    with user.http:
        user.begin()
        yield user
