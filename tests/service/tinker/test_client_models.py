"""What Tinker clients train is listed, sampled, exported and deleted beside what runs train."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.client.live_service import RECORDS, LiveService
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, NotFoundError
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.named_checkpoints import NamedCheckpoint, find_named_checkpoint
from twinkle_jupyter.service.training_on import find_first_weights
from twinkle_jupyter.wire.native import AdapterBody

QUESTION = [{"role": "user", "content": "Who are you?"}]


@pytest.fixture
def client(live: LiveService) -> Iterator[Client]:
    with Client(live.connection) as client:
        yield client


def _find(client: Client, model: str) -> AdapterBody:
    return next(one for one in client.adapters() if one.name == model)


def _step(anna: TinkerUser, model: str, number: int) -> None:
    anna.forward_backward(model, number)
    anna.result(anna.optim_step(model, number + 1, rate=0.1).json()["request_id"])


def _answer(client: Client, model: str) -> str:
    parts = client.sample(model, QUESTION, max_tokens=8)
    return "".join(getattr(part, "text", "") for part in parts)


def _openai(anna: TinkerUser, model: str) -> str:
    body = {"model": model, "messages": QUESTION, "max_tokens": 8, "temperature": 0}
    answer = anna.http.post("/v1/chat/completions", json=body).raise_for_status().json()
    return str(answer["choices"][0]["message"]["content"])


def _checkpoint(live: LiveService, model: str, step: int | None = None) -> NamedCheckpoint:
    return live.call(find_named_checkpoint(live.app.state.parts, Asker("anna"), model, step))


def test_a_model_answers_by_its_id_with_what_it_has_learnt_so_far(
    live: LiveService, anna: TinkerUser, client: Client
) -> None:
    model = anna.create_model()
    listed = _find(client, model)
    assert (listed.origin, listed.state, listed.step, listed.folder) == ("tinker", "active", 0, "")
    assert (listed.rank, listed.base_model, listed.run_id) == (4, "tiny", "")
    first = _answer(client, model)
    _step(anna, model, 1)
    trained = _answer(client, model)
    assert trained != first
    assert _openai(anna, model) == trained
    assert model in {one["id"] for one in anna.http.get("/v1/models").json()["data"]}
    # The same from the disk, once its client has gone.
    anna.post(f"sessions/{anna.session}/finish", reason={"type": "success"})
    live.call(live.app.state.tinker.keeper.look())
    away = _find(client, model)
    assert (away.state, away.step) == ("stored", 1)
    assert _answer(client, model) == trained
    assert _find(client, model).state == "stored"


def test_what_is_exported_is_the_newest_on_disk(
    live: LiveService, anna: TinkerUser, client: Client
) -> None:
    model = anna.create_model()
    with pytest.raises(ConflictError, match="has no saved weights yet"):
        _checkpoint(live, model)
    _step(anna, model, 1)
    for number, name in ((3, "a"), (4, "b")):
        saved = anna.post("save_weights", model_id=model, seq_id=number, path=name)
        anna.result(saved.json()["request_id"])
    found = _checkpoint(live, model)
    assert (found.run_id, found.base_model, found.step) == ("", "tiny", 1)
    assert found.folder == Path(_find(client, model).folder)
    assert found.folder.name == "b-4"
    assert _checkpoint(live, model, 1) == found
    with pytest.raises(NotFoundError, match="Its newest weights are of step 1"):
        _checkpoint(live, model, 7)


def test_a_model_is_deleted_once_its_client_has_gone(
    live: LiveService, anna: TinkerUser, ben: TinkerUser, client: Client
) -> None:
    model = anna.create_model()
    _step(anna, model, 1)
    saved = anna.post("save_weights", model_id=model, seq_id=3, path="a").json()["request_id"]
    path = cast("str", anna.result(saved)["path"])
    with pytest.raises(ConflictError, match="a Tinker client that is still there"):
        client.delete_adapter(model)
    anna.post(f"sessions/{anna.session}/finish", reason={"type": "success"})
    assert ben.http.delete(f"/api/v1/adapters/{model}").status_code == 404
    assert ben.http.get("/api/v1/adapters").json()["adapters"] == []
    client.delete_adapter(model)
    assert model not in {one.name for one in client.adapters()}
    assert anna.post("weights_info", tinker_path=path).status_code == 404
    assert anna.forward_backward(model, 4).status_code == 404
    assert not live.config.client_weights_folder(model, "-", "-").parents[1].exists()
    with pytest.raises(NotFoundError, match="There is no adapter"):
        client.delete_adapter(model)


def test_a_run_can_begin_with_what_a_client_trained(
    live: LiveService, anna: TinkerUser, client: Client
) -> None:
    model = anna.create_model()
    _step(anna, model, 1)
    saved = anna.post("save_weights", model_id=model, seq_id=3, path="a").json()["request_id"]
    anna.result(saved)
    files = live.app.state.adapter_files
    first = live.call(find_first_weights(live.app.state.parts, files, Asker("anna"), model))
    assert (first.base_model, first.rank, first.alpha) == ("tiny", 4, 32.0)
    with pytest.raises(InvalidConfigError, match="rank=8"):
        client.start_run({"adapter": "x", "base_model": "tiny"}, RECORDS, from_adapter=model)
