"""A folder of the machine may be named by whoever has the service for themselves."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.service.conftest import RECORDS, Service
from twinkle_jupyter.service.auth import list_keys, revoke_key


async def _ask(anna: httpx.AsyncClient, folder: str) -> list[httpx.Response]:
    session = (await anna.post("/api/v1/create_session", json={})).json()["session_id"]
    lora = {"session_id": session, "model_seq_id": 0, "base_model": folder}
    sampler = {"session_id": session, "sampling_session_seq_id": 0, "base_model": folder}
    run = {"config": {"base_model": folder}, "records": RECORDS}
    sweep = {"name": "s", "grid": {"rank": [2, 4]}, **run}
    return [
        await anna.post("/api/v1/create_model", json=lora),
        await anna.post("/api/v1/create_sampling_session", json=sampler),
        await anna.post("/api/v1/runs", json=run),
        await anna.post("/api/v1/sweeps", json=sweep),
    ]


async def test_a_folder_is_no_base_model_where_others_have_keys(
    service: Service, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    for answer in await _ask(service.anna, folder):
        assert answer.status_code == 422, answer.text
        assert "is a folder, and others use this service, too." in answer.text
    [ben] = await list_keys(service.store, "ben")
    await revoke_key(service.store, ben.key_id)
    for answer in await _ask(service.anna, folder):
        assert "There is no base model" in answer.text, "the folder was looked at"
    assert (await service.anna.get("/api/v1/runs")).json() == {"runs": []}
