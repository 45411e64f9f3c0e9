"""Shared weights of clients: a share is of one folder, and what waits to be loaded is asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.store.artifacts import MANIFEST_FILE, commit_folder
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SavedWeightsRow
from twinkle_jupyter.store.shares import ShareRow


def _trained(user: TinkerUser) -> str:
    model = user.create_model()
    user.forward_backward(model, 1)
    user.optim_step(model, 2)
    return model


def _save(user: TinkerUser, model: str, number: int, name: str = "final", **more: object) -> str:
    body = {"model_id": model, "seq_id": number, "path": name, **more}
    answer = user.post("save_weights", **body).raise_for_status().json()
    return str(user.result(answer["request_id"])["path"])


def _share(user: TinkerUser, what: str, **more: object) -> httpx.Response:
    return user.http.put("/api/v1/shared", json={"adapter": what, "everyone": True, **more})


def _unshare(user: TinkerUser, path: str) -> None:
    what = path.replace("tinker://", "twinkle://")
    user.http.delete("/api/v1/shared", params={"what": what}).raise_for_status()


def _is_read(user: TinkerUser, path: str) -> bool:
    return user.post("weights_info", tinker_path=path).is_success


def _load(user: TinkerUser, path: str, number: int, into: str = "") -> str:
    """Ask for weights in a new model, or at an op of one there is; do not wait for it."""
    new = {"session_id": user.session, "model_seq_id": number}
    where = {"model_id": into, "seq_id": number} if into else new
    answer = user.post("load_weights", **where, path=path, optimizer=True)
    return str(answer.raise_for_status().json()["request_id"])


def _row(live: LiveService, owner: str, model: str) -> ClientAdapterRow:
    row = live.call(live.store.get(ClientAdapterRow.key(owner, model)))
    assert row is not None
    return ClientAdapterRow.from_row(row)


def test_a_share_ends_with_the_weights_that_it_was_for(anna: TinkerUser, ben: TinkerUser) -> None:
    model = _trained(anna)
    path = _save(anna, model, 3)
    place = f"/api/v1/training_runs/{model}/checkpoints"
    anna.http.post(f"{place}/weights/final/publish").raise_for_status()
    assert _is_read(ben, path)
    assert _save(anna, model, 4, overwrite=True) == path
    assert not _is_read(ben, path)
    assert ben.http.get("/api/v1/shared").json()["shared"] == []
    [listed] = anna.http.get(place).json()["checkpoints"]
    assert listed["public"] is False
    anna.http.post(f"{place}/weights/final/publish").raise_for_status()
    assert _is_read(ben, path)


def test_what_waits_to_be_loaded_is_read_by_nobody_once_it_is_shared_no_more(
    live: LiveService, anna: TinkerUser, ben: TinkerUser
) -> None:
    path = _save(anna, _trained(anna), 3)
    assert _share(anna, path).is_success
    own = ben.create_model()
    new, into = _load(ben, path, 7), _load(ben, path, 1, into=own)
    model = f"{ben.session}:train:7"

    def is_unread(name: str) -> bool:
        chat = {"model": name, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        asked = (
            ben.http.get("/api/v1/weights", params={"adapter": name}),
            ben.post("chat/completions", **chat),
        )
        return all("weights yet" in one.text for one in asked)

    # Not even before: it is another's until it has been loaded.
    assert is_unread(model)
    _unshare(anna, path)
    assert is_unread(model)
    told = [ben.result(one) for one in (new, into)]
    assert all("There is no checkpoint" in str(one["error"]) for one in told), told
    assert not _row(live, "ben", model).is_made
    # The model that was to become it goes on as what it was.
    ben.forward_backward(own, 2)
    assert "error" not in ben.result(ben.optim_step(own, 3).json()["request_id"])
    # Shared again, it is loaded by the same request.
    assert _share(anna, path).is_success
    assert "error" not in ben.result(new)
    _unshare(anna, path)
    ben.forward_backward(model, 1)
    assert "error" not in ben.result(ben.optim_step(model, 2).json()["request_id"])


def test_a_copy_is_the_readers_and_tells_nothing_that_its_owner_noted(
    live: LiveService, anna: TinkerUser, ben: TinkerUser
) -> None:
    noted = {"note": "for me alone"}
    path = _save(anna, _trained(anna), 3, user_metadata=noted)
    assert _share(anna, path).is_success
    kept = {}
    for number, user in enumerate((anna, ben)):
        body = {"source_path": path, "session_id": user.session, "model_seq_id": 8 + number}
        copy = user.post("copy_weights", **body).raise_for_status().json()["tinker_path"]
        rows = live.call(live.store.list_rows(SavedWeightsRow.PREFIX))
        kept[copy] = next(
            row.user_metadata
            for row in (SavedWeightsRow.from_row(row) for _, row in rows)
            if row.path == copy
        )
    assert list(kept.values()) == [noted, {}]
    _unshare(anna, path)
    model = f"{ben.session}:train:9"
    ben.forward_backward(model, 1)
    assert "error" not in ben.result(ben.optim_step(model, 2).json()["request_id"])


def test_an_adapter_is_shared_as_it_was_saved_last_by_its_name_and_by_its_path(
    live: LiveService, anna: TinkerUser, ben: TinkerUser
) -> None:
    model = anna.create_model()
    assert _share(anna, model).status_code == 409
    anna.forward_backward(model, 1)
    anna.optim_step(model, 2)
    first, second = _save(anna, model, 3, "first"), _save(anna, model, 4, "second")
    anna.forward_backward(model, 5)
    anna.result(anna.optim_step(model, 6).json()["request_id"])
    anna.post(f"sessions/{anna.session}/finish", reason={"type": "success"})
    live.call(live.app.state.tinker.keeper.look())
    assert _row(live, "anna", model).is_put_away
    shared = _share(anna, model)
    assert (shared.status_code, shared.json()["step"]) == (200, 1), shared.text
    assert shared.json()["path"] == second.replace("tinker://", "twinkle://")
    assert _share(anna, model, step=1).is_success
    assert _share(anna, model, step=2).status_code == 404
    assert not _is_read(ben, first)
    assert _share(anna, first).is_success
    assert _is_read(ben, first)
    assert _share(ben, first).status_code == 404


@pytest.fixture
def cleo(live: LiveService) -> Iterator[TinkerUser]:
    key = live.call(create_key(live.store, "cleo", groups=["class"]))
    headers = {"X-API-Key": key}
    with httpx.Client(base_url=live.connection.url, headers=headers, timeout=60) as http:
        user = TinkerUser(http)
        user.begin()
        yield user


def test_what_begins_with_a_runs_checkpoint_has_its_alpha(
    live: LiveService, anna: TinkerUser, cleo: TinkerUser
) -> None:
    model = _trained(anna)
    _save(anna, model, 3)
    saved = live.config.client_weights_folder(model, "weights", "final-3")
    run = "run_of_anna"

    def write(folder: Path) -> None:
        ours = shutil.ignore_patterns(MANIFEST_FILE)
        shutil.copytree(saved, folder, ignore=ours, dirs_exist_ok=True)
        config = json.loads((saved / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 6}))

    commit_folder(live.config.checkpoint_folder(run, "step-000001"), write)
    name = "step-000001"
    share = ShareRow(
        "anna", run, "weights", name, "pirate", "tiny", 4, 6.0, 1, is_of_run=True, groups=("class",)
    )
    live.call(live.store.put(ShareRow.key(run, "weights", name), share.to_row()))
    assert "error" not in cleo.result(_load(cleo, share.path, 5))
    body = {"source_path": share.path, "session_id": cleo.session, "model_seq_id": 6}
    cleo.post("copy_weights", **body).raise_for_status()
    alphas = [_row(live, "cleo", f"{cleo.session}:train:{number}").alpha for number in (5, 6)]
    assert alphas == [6.0, 6.0]
    twinkle = "model/tiny/twinkle"
    cleo.http.headers["X-Twinkle-Session-Id"] = cleo.session
    for route, more in (
        ("add_adapter_to_model", {"config": {"r": 4}}),
        ("set_optimizer", {"optimizer_cls": "AdamW"}),
        ("load", {"name": share.path}),
    ):
        answer = cleo.post(f"{twinkle}/{route}", adapter_name="mine", **more)
        assert answer.is_success, (route, answer.text)
