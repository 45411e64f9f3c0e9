"""Exports and imports over the routes, on a tiny model; once by the real process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.service.conftest import RECORDS, not_loaded
from tests.service.in_thread_files import InThread
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.engine.base_model import fingerprint_base_model
from twinkle_jupyter.engine.checkpoint import read_spec
from twinkle_jupyter.launch.export_process import ExportProcess
from twinkle_jupyter.service.adapter_files import ExportJob, OnProgress
from twinkle_jupyter.service.app import create_app
from twinkle_jupyter.service.auth import create_key
from twinkle_jupyter.service.exports import ExportRow
from twinkle_jupyter.store.sqlite import SqliteStore
from twinkle_jupyter.wire.exports import ExportBody

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)


@dataclass(frozen=True)
class Desk:
    """A service of one user's own, and an adapter of PEFT's beside it."""

    store: SqliteStore
    config: ServiceConfig
    anna: httpx.AsyncClient
    folder: Path
    model: Path

    async def take_in(self, name: str = "pirate") -> dict[str, object]:
        """Import the adapter."""
        wanted = {"folder": str(self.folder / "external"), "base_model": str(self.model)}
        answer = await self.anna.post(f"/api/v1/adapters/{name}/import", json=wanted)
        assert answer.status_code == 201, answer.text
        return cast("dict[str, object]", answer.json())

    async def export(self, folder: Path, export_format: str, **more: object) -> ExportBody:
        """Begin an export."""
        body = {"folder": str(folder), "format": export_format, **more}
        answer = await self.anna.post("/api/v1/adapters/pirate/exports", json=body)
        assert answer.status_code == 202, answer.text
        return ExportBody.model_validate(answer.json())

    async def until_over(self, export: ExportBody) -> ExportBody:
        """Wait until an export is over."""
        async with asyncio.timeout(60):
            while export.state == "running":
                await asyncio.sleep(0.1)
                answer = await self.anna.get(f"/api/v1/exports/{export.export_id}")
                export = ExportBody.model_validate(answer.json())
        return export


class Endless(InThread):
    """Writes for ever."""

    async def export(self, job: ExportJob, on_progress: OnProgress) -> int:
        partial = job.folder.with_name(f".{job.folder.name}.0.partial")
        partial.mkdir()
        while True:
            await on_progress(0.5)
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def external(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("external")
    config = LoraConfig(r=4, lora_alpha=12, target_modules=["q_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(parameter)
    model.save_pretrained(str(folder))
    return folder


@pytest.fixture
async def desk(
    tmp_path: Path, external: Path, tiny_model: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Desk]:
    (tmp_path / "external").symlink_to(external)
    config = ServiceConfig.load(home=tmp_path / "home", base_model=str(tiny_model))
    store = SqliteStore.open(config.store_path)
    files = getattr(request, "param", InThread)()
    app = create_app(
        store, config, compute=not_loaded, check_base_model=lambda _: None, adapter_files=files
    )
    key = await create_key(store, "anna")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://service",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    ) as anna:
        yield Desk(store, config, anna, tmp_path, tiny_model)
    await store.close()


@pytest.mark.parametrize("desk", [ExportProcess], indirect=True)
async def test_an_adapter_goes_in_and_out_by_a_process_of_its_own(desk: Desk) -> None:
    adapter = await desk.take_in()
    assert (adapter["rank"], adapter["alpha"], adapter["state"]) == (4, 12.0, "finished")
    assert (await desk.anna.get("/api/v1/adapters")).json()["adapters"] == [adapter]

    for export_format in ("peft", "gguf"):
        done = await desk.until_over(await desk.export(desk.folder / export_format, export_format))
        assert (done.state, done.message) == ("finished", "")
        written = (desk.folder / export_format).iterdir()
        assert done.size_bytes == sum(path.stat().st_size for path in written)

    ours = load_file(desk.folder / "peft" / "adapter_model.safetensors")
    theirs = load_file(desk.folder / "external" / "adapter_model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert list((desk.config.artifacts / "exports").iterdir()) == []


async def test_a_run_begins_with_the_weights_of_an_adapter(desk: Desk) -> None:
    await desk.take_in()
    config = {"adapter": "captain", "rank": 4, "alpha": 12.0, "base_model": str(desk.model)}
    wanted = {"config": config, "records": RECORDS, "from_adapter": "pirate"}
    answer = await desk.anna.post("/api/v1/runs", json=wanted)
    assert answer.status_code == 201, answer.text
    folder = desk.config.run_folder(answer.json()["run_id"])
    assert sorted(path.name for path in folder.iterdir()) == ["origin", "records.jsonl"]
    ours, theirs = (
        load_file(where / "adapter_model.safetensors")
        for where in (folder / "origin", desk.folder / "external")
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    spec, step = read_spec(folder / "origin", fingerprint_base_model(desk.model))
    assert (spec.targets, step) == (("q_proj",), 0)

    wrong = {"config": config | {"rank": 8}, "records": RECORDS, "from_adapter": "pirate"}
    answer = await desk.anna.post("/api/v1/runs", json=wanted | wrong)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "`rank=8` is not that of adapter 'pirate': 4."
    answer = await desk.anna.post("/api/v1/runs", json=wanted | {"from_adapter": "nobody"})
    assert answer.status_code == 404
    assert len(list((desk.config.artifacts / "runs").iterdir())) == 2


async def test_what_cannot_be_exported_is_said_before_or_in_the_answer(desk: Desk) -> None:
    path = "/api/v1/adapters/pirate/exports"
    body = {"folder": str(desk.folder / "out"), "format": "peft"}
    assert (await desk.anna.post(path, json=body)).status_code == 404
    await desk.take_in()
    for changes, status, said in (
        ({"step": 7}, 404, "has no checkpoint of step 7. There are those of steps 0."),
        ({"folder": "out"}, 422, "Folder `out` is not an absolute path."),
        ({"folder": str(desk.folder)}, 409, "is not empty; nothing was written to it."),
        ({"format": "onnx"}, 400, "format"),
    ):
        answer = await desk.anna.post(path, json=body | changes)
        error = answer.json()["error"]
        assert answer.status_code == status
        assert said in f"{error['message']} {error['hint']}"
    again = await desk.anna.post(
        "/api/v1/adapters/pirate/import", json={"folder": str(desk.folder / "external")}
    )
    assert again.status_code == 409


async def test_a_broken_import_leaves_no_adapter(desk: Desk) -> None:
    (desk.folder / "none").mkdir()
    answer = await desk.anna.post(
        "/api/v1/adapters/pirate/import", json={"folder": str(desk.folder / "none")}
    )
    assert answer.status_code == 404
    assert "holds no PEFT adapter" in answer.json()["error"]["message"]
    assert (await desk.anna.get("/api/v1/adapters")).json() == {"adapters": []}
    assert list((desk.config.artifacts / "runs").glob("*")) == []


@pytest.mark.parametrize("desk", [Endless], indirect=True)
async def test_an_export_is_cancelled_and_leaves_nothing(desk: Desk) -> None:
    await desk.take_in()
    export = await desk.export(desk.folder / "out", "merged")
    second = {"folder": str(desk.folder / "two"), "format": "peft"}
    busy = await desk.anna.post("/api/v1/adapters/pirate/exports", json=second)
    assert busy.status_code == 409
    cancelled = await desk.anna.delete(f"/api/v1/exports/{export.export_id}")
    assert cancelled.json()["state"] == "cancelled"
    another = await desk.export(desk.folder / "out", "peft")
    await desk.anna.delete(f"/api/v1/exports/{another.export_id}")
    async with asyncio.timeout(10):
        while list((desk.config.artifacts / "exports").iterdir()):
            await desk.anna.get(f"/api/v1/exports/{another.export_id}")
    assert sorted(path.name for path in desk.folder.iterdir()) == ["external", "home"]


async def test_others_have_no_export_and_a_shared_service_makes_none(desk: Desk) -> None:
    row = ExportRow("export_1", "anna", "pirate", "run_x", 3, "peft", "/x")
    await desk.store.put(ExportRow.key("anna", "export_1"), row.to_row())
    assert (await desk.anna.get("/api/v1/exports/export_1")).json()["state"] == "running"
    ben = {"Authorization": f"Bearer {await create_key(desk.store, 'ben')}"}
    for method in ("GET", "DELETE"):
        answer = await desk.anna.request(method, "/api/v1/exports/export_1", headers=ben)
        assert answer.status_code == 404
    body = {"folder": str(desk.folder / "external")}
    refused = await desk.anna.post("/api/v1/adapters/pirate/import", json=body)
    assert refused.status_code == 422
    assert refused.json()["error"]["message"].startswith("A service that others use too takes no")


async def test_an_export_that_nobody_brings_forward_has_failed(desk: Desk) -> None:
    row = ExportRow("export_1", "anna", "pirate", "run_x", 3, "peft", "/x")
    old = {**row.to_row(), "updated_at": "2026-01-01T00:00:00.000+00:00"}
    await desk.store.put(ExportRow.key("anna", "export_1"), old)
    answer = (await desk.anna.get("/api/v1/exports/export_1")).json()
    assert (answer["state"], answer["hint"]) == ("failed", "Start it again.")
