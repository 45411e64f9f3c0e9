"""A checkpoint that is shared: who reads it by which route, and that nobody else changes it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
import pytest
from typing_extensions import override

from tests.client.live_service import RECORDS, LiveService
from tests.service.in_thread_files import InThread
from tests.service.one_of_everything import LABELLED, Belongings, a_sample, make_belongings
from tests.service.test_every_route import CASES, Walk
from twinkle_jupyter.service.adapter_files import ImportedShape
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.store.audit import read_acts

#: Routes that read by a path alone: in the walk over all, a shared one is found by these.
READING = {
    "POST /api/v1/copy_weights",
    "POST /api/v1/weights_info",
    "GET /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/external_weights_urls",
    "GET /api/v1/training_runs/{model_id}/checkpoints/{kind}/{name}/archive",
    "GET /api/v1/twinkle/checkpoint_path/{run_id}/{checkpoint_id}",
    "POST /api/v1/twinkle/weights_info",
    # What it answers is that nothing is uploaded.
    "POST /api/v1/model/{model_id}/twinkle/upload_to_hub",
    "POST /api/v1/sampler/{model_id}/twinkle/sample",
}
_MESSAGES = [{"role": "user", "content": "Hi"}]
_TWINKLE = "model/tiny/twinkle"


class ByName(InThread):
    """Takes in weights of the base model by its name, too."""

    def __init__(self, model: Path) -> None:
        self._model = model

    @override
    async def import_peft(self, folder: Path, base_model: str, checkpoint: Path) -> ImportedShape:
        named = str(self._model) if base_model == "tiny" else base_model
        return await super().import_peft(folder, named, checkpoint)


@dataclass
class Reader:
    """Somebody with a session and an adapter of their own, by either protocol."""

    http: httpx.Client
    session: str = ""
    model: str = ""
    number: int = 10

    def begin(self) -> None:
        self.session = str(self.post("create_session").json()["session_id"])
        body = {"session_id": self.session, "model_seq_id": 0, "base_model": "tiny"}
        made = self.post("create_model", **body, lora_config={"rank": 4}).json()
        self.post("retrieve_future", request_id=made["request_id"])
        self.model = str(made["model_id"])
        self.post(f"{_TWINKLE}/add_adapter_to_model", adapter_name="mine", config={"r": 4})
        self.post(f"{_TWINKLE}/set_optimizer", adapter_name="mine", optimizer_cls="AdamW")

    def post(self, path: str, /, **body: object) -> httpx.Response:
        headers = {"X-Twinkle-Session-Id": self.session}
        return self.http.post(f"/api/v1/{path}", json=body, headers=headers)

    def get(self, path: str, /, **query: str) -> httpx.Response:
        return self.http.get(path, params=query, follow_redirects=False)

    def next(self) -> int:
        self.number += 1
        return self.number


Asked = Callable[[Reader, str], httpx.Response]


def _load(reader: Reader, path: str) -> httpx.Response:
    new = {"session_id": reader.session, "model_seq_id": reader.next()}
    return reader.post("load_weights", **new, path=path, optimizer=True)


#: Every way in which a user names weights by their path; of a run's and a client's checkpoint.
BY_PATH: dict[str, Asked] = {
    "samples": lambda reader, path: reader.post(
        "samples", model=path, messages=_MESSAGES, max_tokens=2
    ),
    "chat": lambda reader, path: reader.post(
        "chat/completions", model=path, messages=_MESSAGES, max_tokens=2
    ),
    "completions": lambda reader, path: reader.post(
        "completions", model=path, prompt="Hi", max_tokens=2
    ),
    "models": lambda reader, path: reader.get(f"/v1/models/{path}"),
    "weights": lambda reader, path: reader.get("/api/v1/weights", adapter=path),
    "run": lambda reader, path: reader.post(
        "runs",
        config={"adapter": f"mine-{reader.next()}", "base_model": "tiny", "rank": 4,
                "alpha": 32.0, "steps": 2},
        records=RECORDS,
        from_adapter=path,
    ),
    "create_sampling_session": lambda reader, path: reader.post(
        "create_sampling_session", session_id=reader.session,
        sampling_session_seq_id=reader.next(), model_path=path,
    ),
    "load_weights": _load,
    "copy_weights": lambda reader, path: reader.post(
        "copy_weights", source_path=path, session_id=reader.session, model_seq_id=reader.next()
    ),
    "weights_info": lambda reader, path: reader.post("weights_info", tinker_path=path),
    "twinkle sample": lambda reader, path: reader.post(
        "sampler/tiny/twinkle/sample", adapter_uri=path, inputs=[LABELLED],
        sampling_params={"max_tokens": 1},
    ),
    "twinkle load": lambda reader, path: reader.post(
        f"{_TWINKLE}/load", adapter_name="mine", name=path
    ),
    "twinkle resume": lambda reader, path: reader.post(
        f"{_TWINKLE}/resume_from_checkpoint", adapter_name="mine", name=path
    ),
    "twinkle weights_info": lambda reader, path: reader.post(
        "twinkle/weights_info", twinkle_path=path
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Room:
    """Anna, who has something; Ben, and Cleo of the class, who read it."""

    live: LiveService
    mine: Belongings
    anna: httpx.Client
    ben: Reader
    cleo: Reader

    def share(self, **who: object) -> str:
        """Have Anna share her run's checkpoint; return the path."""
        answer = self.anna.put("/api/v1/shared", json={"adapter": "parrot", **who})
        assert answer.is_success, answer.text
        return str(answer.json()["path"])


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Room]:
    home = tmp_path_factory.mktemp("sharing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        with LiveService(home / "twinkle", tiny_model, ByName(tiny_model)) as live:

            def client(key: str) -> httpx.Client:
                headers = {"X-API-Key": key}
                return httpx.Client(base_url=live.connection.url, headers=headers, timeout=60)

            def key(owner: str) -> str:
                groups = [] if owner == "ben" else ["class"]
                return live.call(create_key(live.store, owner, groups=groups))

            with client(live.connection.api_key) as alone:
                mine = make_belongings(live, alone)
            with (
                client(key("anna")) as anna,
                client(key("ben")) as ben,
                client(key("cleo")) as cleo,
            ):
                readers = Reader(ben), Reader(cleo)
                for reader in readers:
                    reader.begin()
                yield Room(live, mine, anna, *readers)


def _found(reader: Reader, path: str, *, but: tuple[str, ...] = ()) -> set[str]:
    """Return by which ways a path is found; by the others nothing is told."""
    found = set()
    for name, ask in BY_PATH.items():
        if name in but:
            continue
        answer = ask(reader, path)
        assert answer.status_code < 500, (name, answer.text)
        if answer.status_code != 404:
            assert answer.is_success, (name, answer.text)
            found.add(name)
        else:
            assert "parrot" not in answer.text, name
    return found


def test_a_runs_checkpoint_is_read_by_whom_it_is_shared_with_on_every_route(room: Room) -> None:
    path = f"twinkle://{room.mine.imported_run}/weights/{room.mine.checkpoint}"
    # Its base model is a folder: these name the service's own beside it, and are told so.
    but = ("twinkle sample", "twinkle load", "twinkle resume", "run")
    every = set(BY_PATH) - set(but)
    assert _found(room.ben, path) == _found(room.cleo, path) == set()
    assert room.share(groups=["class"]) == path
    assert _found(room.ben, path) == set()
    assert _found(room.cleo, path, but=but) == every
    for name in but:
        assert BY_PATH[name](room.cleo, path).status_code == 422, name
    room.share(everyone=True)
    assert _found(room.ben, path, but=but) == every
    for reader in (room.ben, room.cleo):
        (listed,) = reader.get("/api/v1/shared").json()["shared"]
        assert (listed["path"], listed["owner"], listed["groups"]) == (path, "anna", [])
    sampler = room.ben.post(
        "create_sampling_session", session_id=room.ben.session, sampling_session_seq_id=1,
        model_path=path,
    ).json()["sampling_session_id"]  # fmt: skip
    link = room.ben.get(
        f"/api/v1/training_runs/{room.mine.imported_run}/checkpoints/weights/"
        f"{room.mine.checkpoint}/archive"
    ).headers["Location"]
    assert room.ben.post("asample", **a_sample(sampler, 1)).is_success
    assert room.ben.get(link).is_success

    gone = room.anna.delete("/api/v1/shared", params={"what": "parrot"}).json()["shared"]
    assert [one["path"] for one in gone] == [path]
    # At once, also for what was opened before; what was copied is theirs.
    assert _found(room.ben, path) == _found(room.cleo, path) == set()
    assert room.ben.post("asample", **a_sample(sampler, 2)).status_code == 404
    assert room.ben.get(link).status_code == 404
    assert room.anna.get("/api/v1/weights", params={"adapter": path}).is_success


def test_what_a_client_saved_is_published_by_its_protocol_and_read_by_all(room: Room) -> None:
    mine = room.mine
    *_, model, kind, name = mine.saved.replace("//", "/").split("/")
    place = f"/api/v1/training_runs/{model}/checkpoints/{kind}/{name}"
    assert _found(room.ben, mine.saved) == set()
    assert room.anna.post(f"{place}/publish").is_success
    # One name for both protocols.
    for path in (mine.saved, mine.saved.replace("tinker://", "twinkle://")):
        but = ("models",) if path == mine.saved else ()
        assert _found(room.ben, path, but=but) == set(BY_PATH) - set(but), path
    (listed,) = room.anna.get("/api/v1/training_runs/" + model + "/checkpoints").json()[
        "checkpoints"
    ]
    assert listed["public"] is True
    # Nobody but its owner shares it on, changes it, or takes it back.
    for method, path in (("POST", f"{place}/publish"), ("DELETE", f"{place}/publish"),
                         ("DELETE", place), ("PUT", f"{place}/ttl")):  # fmt: skip
        body = {"ttl_seconds": 7200} if method == "PUT" else {}
        assert room.ben.http.request(method, path, json=body).status_code == 404, (method, path)
    taken = room.ben.http.delete("/api/v1/shared", params={"what": listed["tinker_path"]})
    assert taken.status_code == 404
    assert room.anna.delete(f"{place}/publish").is_success
    assert _found(room.ben, mine.saved) == set()


def test_all_other_routes_answer_as_if_nothing_were_shared(room: Room) -> None:
    mine = room.mine
    room.share(everyone=True)
    for adapter in (mine.model, mine.named_model):
        answer = room.anna.put("/api/v1/shared", json={"adapter": adapter, "everyone": True})
        assert answer.is_success, answer.text
    walk = Walk(room.live, mine, room.anna, room.ben.http, room.ben.http)
    for route, case in CASES.items():
        answer = walk.ask(room.ben.http, route)
        if route in READING:
            assert answer.status_code not in (403, 404), (route, answer.text)
        else:
            assert answer.status_code == case.status, (route, answer.text)


def test_weights_are_sent_as_peft_has_them(room: Room) -> None:
    sent = room.anna.get("/api/v1/weights", params={"adapter": "parrot"})
    with tarfile.open(fileobj=io.BytesIO(sent.content)) as tar:
        names = tar.getnames()
        weights = cast("io.BufferedReader", tar.extractfile("adapter_model.safetensors")).read()
    folder = room.live.config.checkpoint_folder(room.mine.imported_run, room.mine.checkpoint)
    assert names[:2] == ["adapter_config.json", "adapter_model.safetensors"]
    assert weights == (folder / "adapter_model.safetensors").read_bytes()
    missing = room.anna.get("/api/v1/weights", params={"adapter": "parrot", "step": "7"})
    assert missing.status_code == 404


def test_it_is_shared_with_groups_of_ones_own_and_ends_with_the_adapter(room: Room) -> None:
    def put(**who: object) -> httpx.Response:
        return room.anna.put("/api/v1/shared", json={"adapter": "parrot", **who})

    strange, nobody = put(groups=["board"]), put()
    assert (strange.status_code, nobody.status_code) == (422, 422)
    assert "'board'" in strange.text
    assert "class" in strange.json()["error"]["hint"]
    path = room.share(everyone=True)
    assert room.anna.delete("/api/v1/adapters/parrot").status_code == 204
    assert _found(room.ben, path) == set()
    acts = [(act.what, act.to) for act in room.live.call(read_acts(room.live.store, who="anna"))]
    assert acts[:3] == [("adapter_deleted", "parrot"), ("unshare", path), ("share", path)]
