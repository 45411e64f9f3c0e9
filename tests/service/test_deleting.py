"""What is deleted while a trainer is away: shares and files go at once, a second try ends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.service.conftest import Service
from tests.service.jupyterhub_stand_in import SERVICE_TOKEN, JupyterHubStandIn
from twinkle_jupyter.config.hub_section import HubSection
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.service.departed_users import DepartedUsers
from twinkle_jupyter.service.hub_api import HubApi
from twinkle_jupyter.service.parts import ServedModel, ServiceParts
from twinkle_jupyter.store.artifacts import commit_folder
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import BaseModelRow, RunRow
from twinkle_jupyter.store.shares import ShareRow


@dataclass
class Loaded:
    """Trainer and sampler as far as deleting needs them, which may be away."""

    is_away: bool = True
    removed: list[str] = field(default_factory=list)

    async def remove_adapter(self, adapter_id: str) -> None:
        if self.is_away:
            raise ServiceUnavailableError("The trainer is starting again.")
        self.removed.append(adapter_id)


async def _load(service: Service, base_model: str = "tiny") -> Loaded:
    loaded, parts = Loaded(), cast("ServiceParts", service.app.state.parts)

    async def compute(name: str) -> ServedModel:
        assert name == base_model, "asking for a model that is not loaded would have it loaded"
        return ServedModel(cast("Any", loaded), cast("Any", loaded), cast("Any", None))

    row = BaseModelRow(base_model, "ready")
    await service.store.put(BaseModelRow.key(base_model), row.to_row())
    service.app.state.parts = replace(parts, compute=compute)
    return loaded


async def _ended_run(service: Service, **changes: str) -> RunRow:
    """Return a run that is over, with a checkpoint that everyone may read."""
    run_id = str((await service.start())["run_id"])
    folder = service.config.checkpoint_folder(run_id, "step-000002")
    commit_folder(folder, _write_config)

    def end(row: Row | None) -> Row:
        ended = RunRow.from_row(row or {}).changed(state="stopped", checkpoint=folder.name)
        return replace(ended, **changes).to_row()  # type: ignore[arg-type]

    row = RunRow.from_row(await service.store.update(RunRow.key(run_id), end))
    path = f"twinkle://{run_id}/weights/{folder.name}"
    body = {"adapter": path, "everyone": True}
    if row.owner == "anna":
        for _ in range(2):  # what is shared already may be shared again by its path
            answer = await service.anna.put("/api/v1/shared", json=body)
            assert (answer.status_code, answer.json()["adapter"]) == (200, "pirate"), answer.text
    return row


def _write_config(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 8}')


async def test_an_adapter_of_several_runs_is_deleted_whole_by_a_second_try(
    service: Service,
) -> None:
    runs = [await _ended_run(service) for _ in range(2)]
    loaded = await _load(service)
    assert len(await service.store.list_rows(ShareRow.PREFIX)) == 2
    assert (await service.anna.delete("/api/v1/adapters/pirate")).status_code == 503
    assert not await service.store.list_rows(ShareRow.PREFIX)
    for run in runs:
        assert not (service.config.run_folder(run.run_id) / "checkpoints").exists()
    loaded.is_away = False
    assert (await service.anna.delete("/api/v1/adapters/pirate")).status_code == 204
    assert set(loaded.removed) == {run.adapter_id for run in runs}
    assert (await service.anna.delete("/api/v1/adapters/pirate")).status_code == 404


async def test_a_clients_adapter_is_deleted_by_a_second_try_and_loads_no_model(
    service: Service,
) -> None:
    for base_model in ("tiny", "elsewhere"):
        row = ClientAdapterRow("anna", f"s-{base_model}", "s", base_model, 4, 32.0, 0)
        await service.store.put(ClientAdapterRow.key("anna", row.adapter_id), row.to_row())
    loaded = await _load(service)
    assert (await service.anna.delete("/api/v1/adapters/s-tiny")).status_code == 503
    loaded.is_away = False
    assert (await service.anna.delete("/api/v1/adapters/s-tiny")).status_code == 204
    assert set(loaded.removed) == {"s-tiny"}
    assert (await service.anna.delete("/api/v1/adapters/s-elsewhere")).status_code == 204


@pytest.fixture
def hub() -> Iterator[JupyterHubStandIn]:
    with JupyterHubStandIn(users={"cleo": []}) as hub:
        yield hub


async def test_one_user_who_cannot_be_removed_yet_keeps_nobody_else(
    service: Service, hub: JupyterHubStandIn
) -> None:
    first = await _ended_run(service, owner="hub:anna", adapter="a")
    second = await _ended_run(service, owner="hub:ben", adapter="b")
    config = {**second.config, "base_model": "elsewhere"}
    await service.store.put(
        RunRow.key(second.run_id), second.changed(config=cast("Row", config)).to_row()
    )
    loaded = await _load(service)
    section = HubSection(api_url=hub.url, api_token=SERVICE_TOKEN, grace_days=0)
    parts: ServiceParts = service.app.state.parts
    beside = parts.config.model_copy(update={"hub": section})
    api = HubApi(section)
    departed = DepartedUsers(replace(parts, config=beside), api)
    await departed.look()
    assert [key for key, _ in await service.store.list_rows(RunRow.key(""))] == [
        RunRow.key(first.run_id)
    ], "what may still be in memory is looked for again"
    loaded.is_away = False
    await departed.look()
    await api.close()
    assert not await service.store.list_rows(RunRow.key(""))
    assert set(loaded.removed) == {first.adapter_id}
