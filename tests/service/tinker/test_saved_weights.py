"""Saved weights as files of other programs, by links that need no key, and copied."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest
from safetensors.torch import load

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.service.clients import downloads

PEFT_FILES = ["adapter_config.json", "adapter_model.safetensors"]


def _save(user: TinkerUser, route: str, model: str, number: int, **more: object) -> dict[str, str]:
    answer = user.post(route, model_id=model, seq_id=number, **more).raise_for_status()
    return cast("dict[str, str]", user.result(answer.json()["request_id"]))


def _trained(user: TinkerUser) -> str:
    model = user.create_model()
    user.forward_backward(model, 1)
    user.optim_step(model, 2)
    return model


def _get(user: TinkerUser, path: str, what: str) -> httpx.Response:
    model, _, checkpoint = path.removeprefix("tinker://").partition("/")
    return user.http.get(f"/api/v1/training_runs/{model}/checkpoints/{checkpoint}/{what}")


def _fetch(live: LiveService, url: str) -> httpx.Response:
    """As a program does that knows no key."""
    assert url.startswith(f"{live.connection.url}/")
    return httpx.get(url, timeout=30)


def test_weights_for_other_programs_are_links_to_pefts_files(
    live: LiveService, anna: TinkerUser
) -> None:
    model = _trained(anna)
    saved = _save(anna, "save_weights_external", model, 3, path="out")
    assert (saved["type"], saved["path"]) == (
        "save_weights_external",
        f"tinker://{model}/external_weights/out",
    )
    [listed] = anna.http.get(f"/api/v1/training_runs/{model}/checkpoints").json()["checkpoints"]
    assert listed["checkpoint_id"] == "external_weights/out"
    assert listed["checkpoint_type"] == "external"
    assert listed["size_bytes"] == saved["size_bytes"]
    body = _get(anna, saved["path"], "external_weights_urls").raise_for_status().json()
    assert sorted(body["urls"]) == PEFT_FILES
    left = datetime.fromisoformat(body["expires"]) - datetime.now(tz=UTC)
    assert timedelta(minutes=5) < left <= timedelta(minutes=15)
    config, weights = (_fetch(live, body["urls"][name]) for name in PEFT_FILES)
    assert config.json()["r"] == 4
    assert all(tensor.isfinite().all() for tensor in load(weights.content).values())
    # They come without an optimizer, and nobody trains on from them.
    folder = live.config.client_weights_folder(model, "external_weights", "out-3")
    assert not (folder / "optimizer.safetensors").exists()
    refused = anna.post("load_weights", model_id=model, seq_id=4, path=saved["path"])
    assert refused.status_code == 422
    assert "is weights alone" in refused.json()["detail"]
    _save(anna, "save_weights", model, 4, path="w")
    wrong = _get(anna, f"tinker://{model}/weights/w", "external_weights_urls")
    assert wrong.status_code == 422
    assert "save_weights_external saves one" in wrong.json()["detail"]


def test_encrypted_weights_are_refused_in_their_turn(anna: TinkerUser) -> None:
    model = _trained(anna)
    more = {"path": "out", "age_encryption_recipients": ["age1x"]}
    told = _save(anna, "save_weights_external", model, 3, **more)
    assert told["category"] == "user"
    assert "age_encryption_recipients is not there" in told["error"]
    assert _save(anna, "save_weights_external", model, 4, path="out")["path"]


def test_older_clients_have_an_archive(live: LiveService, anna: TinkerUser) -> None:
    model = _trained(anna)
    saved = _save(anna, "save_weights", model, 3, path="first")
    answer = _get(anna, saved["path"], "archive")
    assert answer.status_code == 302
    assert answer.headers["expires"].endswith("GMT")
    fetched = _fetch(live, answer.headers["location"])
    assert int(fetched.headers["content-length"]) == len(fetched.content)
    with tarfile.open(fileobj=io.BytesIO(fetched.content)) as tar:
        assert tar.getnames() == [*PEFT_FILES, "checkpoint_complete"]
        member = tar.extractfile(PEFT_FILES[1])
        assert member is not None
        archived = member.read()
    folder = live.config.client_weights_folder(model, "weights", "first-3")
    assert archived == (folder / PEFT_FILES[1]).read_bytes()


def test_a_link_that_is_over_changed_or_of_deleted_weights_answers_nothing(
    live: LiveService, anna: TinkerUser, ben: TinkerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _trained(anna)
    path = _save(anna, "save_weights_external", model, 3, path="out")["path"]
    url = _get(anna, path, "archive").headers["location"]
    assert _fetch(live, url).status_code == 200
    begin, _, link = url.rpartition("/")
    for wrong in (f"{link[:-3]}abc", link.replace(".", "A.", 1), "x", "a.b", "%E2%98%A0.x"):
        answer = _fetch(live, f"{begin}/{wrong}")
        assert answer.status_code == 401
        assert "This link is over" in answer.json()["detail"]
    assert {_get(ben, path, what).status_code for what in ("archive", "external_weights_urls")} == {
        404
    }
    monkeypatch.setattr(downloads, "LIFE", timedelta(seconds=-1))
    assert _fetch(live, _get(anna, path, "archive").headers["location"]).status_code == 401
    monkeypatch.undo()
    anna.http.delete(f"/api/v1/training_runs/{model}/checkpoints/external_weights/out")
    assert _fetch(live, url).status_code == 404


def test_a_copy_is_a_model_of_its_own_which_outlives_what_it_was_made_of(
    anna: TinkerUser, ben: TinkerUser
) -> None:
    model = _trained(anna)
    paths = [
        _save(anna, route, model, number, path="one")["path"]
        for number, route in ((3, "save_weights"), (4, "save_weights_for_sampler"))
    ]
    other = TinkerUser(anna.http)
    other.begin()
    copies = []
    for number, path in enumerate(paths):
        body = {"source_path": path, "session_id": other.session, "model_seq_id": number}
        answer = other.post("copy_weights", **body, ttl_seconds=3600).raise_for_status().json()
        assert other.post("copy_weights", **body).json() == answer
        copies.append(answer["tinker_path"])
        kind = path.split("/")[3]
        anna.http.delete(f"/api/v1/training_runs/{model}/checkpoints/{kind}/one").raise_for_status()
    assert copies == [
        f"tinker://{other.session}:train:0/weights/one",
        f"tinker://{other.session}:train:1/sampler_weights/one",
    ]
    listed = other.http.get("/api/v1/checkpoints").json()["checkpoints"]
    assert set(copies) <= {one["tinker_path"] for one in listed}
    # Training goes on from it, optimizer and all.
    body = {"session_id": other.session, "model_seq_id": 2, "path": copies[0], "optimizer": True}
    loaded = other.result(other.post("load_weights", **body).json()["request_id"])
    resumed = str(loaded["model_id"])
    steps = []
    for each, number in ((model, 5), (resumed, 1)):
        anna.forward_backward(each, number)
        step = anna.result(anna.optim_step(each, number + 1).json()["request_id"])
        steps.append(cast("dict[str, float]", step["metrics"])["grad_norm"])
    assert steps[0] == steps[1]
    wrong = ben.post("copy_weights", source_path=copies[0], session_id=ben.session, model_seq_id=0)
    assert wrong.status_code == 404
    # There are no projects: a copy to one is the user's own, once for one key.
    headers = {"X-Idempotency-Key": "k"}
    body = {"source_path": copies[0], "destination_project_id": "p"}
    posted = [
        anna.http.post("/api/v1/copy_weights", json=body, headers=headers).json() for _ in "ab"
    ]
    assert posted[0] == posted[1]
    assert posted[0]["tinker_path"] != anna.post("copy_weights", **body).json()["tinker_path"]
    assert anna.post("weights_info", tinker_path=posted[0]["tinker_path"]).is_success
    nowhere = anna.post("copy_weights", source_path=copies[0])
    assert "needs session_id and model_seq_id" in nowhere.json()["detail"]


def test_weights_to_sample_from_come_without_an_optimizer(
    live: LiveService, anna: TinkerUser
) -> None:
    model = _trained(anna)
    answer = anna.post(
        "save_weights_for_sampler", model_id=model, seq_id=3, sampling_session_seq_id=0
    )
    session = anna.result(answer.json()["request_id"])["sampling_session_id"]
    _save(anna, "save_weights_for_sampler", model, 4, path="named")
    folders = [
        live.config.client_weights_folder(model, "unnamed", "3"),
        live.config.client_weights_folder(model, "sampler_weights", "named-4"),
    ]
    assert [_files(folder) for folder in folders] == [
        [*PEFT_FILES, "manifest.json", "trainer_state.json"]
    ] * 2
    prompt = {"chunks": [{"tokens": [1, 2]}]}
    asked = anna.post("asample", sampling_session_id=session, seq_id=1, prompt=prompt).json()
    assert anna.result(asked["request_id"])["type"] == "sample"


def _files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())
