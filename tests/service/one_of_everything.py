"""One of each thing that a user can have, made over the routes with the true engine behind."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import cast

import httpx

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.service.auth import create_key, id_of_key, list_keys
from twinkle_jupyter.store.records import BaseModelRow

ROW = (5, 6, 7, 8, 9, 10)
#: A row as clients of the Twinkle protocol have it.
LABELLED = {"input_ids": ROW[:-1], "labels": ROW[1:]}


@dataclass(frozen=True)
class Belongings:
    """Names and ids, as the service gave them."""

    #: An adapter whose run waits to be driven, and the run.
    adapter: str
    run: str
    #: An adapter that was taken in, its run, and that run's only checkpoint.
    imported: str
    imported_run: str
    checkpoint: str
    sweep: str
    export: str
    session: str
    #: An adapter that a client trains, what was saved of it, and a pass over it.
    model: str
    saved: str
    training_future: str
    sampler: str
    sample_future: str
    #: An adapter of the Twinkle protocol in that session, its whole name, and what was saved of it.
    named: str
    named_model: str
    named_saved: str
    #: An API key that is not in use.
    spare_key: str
    #: A data set and a loader of it.
    dataset: str
    loader: str


def make_belongings(
    live: LiveService, http: httpx.Client, *, with_exports: bool = True
) -> Belongings:
    """Make one of each. Exports need a service that nobody else has a key of yet.

    Without them nothing is imported, either.
    """
    row = BaseModelRow("tiny", "ready", folder=str(live.model_folder))
    live.call(live.store.put(BaseModelRow.key("tiny"), row.to_row()))
    mine = make_by_requests(http, _make_key(live, http))
    if not with_exports:
        return mine
    run, checkpoint, export = _import_and_export(live, http, mine.model)
    return replace(mine, imported_run=run, checkpoint=checkpoint, export=export)


def make_by_requests(http: httpx.Client, spare_key: str) -> Belongings:
    """Make one of each of what needs no folder of the service's machine."""

    def post(path: str, /, **body: object) -> dict[str, object]:
        answer = http.post(f"/api/v1/{path}", json=body)
        assert answer.is_success, answer.text
        return cast("dict[str, object]", answer.json())

    def result(request: dict[str, object]) -> dict[str, object]:
        answer = post("retrieve_future", request_id=request["request_id"])
        assert "error" not in answer, answer
        return answer

    session = str(post("create_session")["session_id"])
    lora = {"rank": 4, "seed": 1}
    made = post(
        "create_model", session_id=session, model_seq_id=0, base_model="tiny", lora_config=lora
    )
    model = str(result(made)["model_id"])
    passed = post("forward_backward", **a_pass(model, 1))
    result(passed)
    saved = result(post("save_weights", model_id=model, seq_id=2, path="kept"))
    sampler = {"session_id": session, "sampling_session_seq_id": 0, "base_model": "tiny"}
    sampling_session = str(post("create_sampling_session", **sampler)["sampling_session_id"])
    sample = post("asample", **a_sample(sampling_session, 1))

    config = {"adapter": "pirate", "base_model": "tiny", "steps": 40}
    run = post("runs", config=config, records=RECORDS)
    grid = {"name": "grid", "grid": {"rank": [4, 8]}, "config": {"base_model": "tiny"}}
    sweep = post("sweeps", **grid, records=RECORDS)
    return Belongings(
        adapter="pirate",
        run=str(run["run_id"]),
        imported="parrot",
        imported_run="",
        checkpoint="",
        sweep=str(sweep["sweep_id"]),
        export="",
        session=session,
        model=model,
        saved=str(saved["path"]),
        training_future=str(passed["request_id"]),
        sampler=sampling_session,
        sample_future=str(sample["request_id"]),
        spare_key=spare_key,
        **_make_named(http, session),
    )


def _make_key(live: LiveService, http: httpx.Client) -> str:
    """Give the user another key, as an admin does; return its id."""
    [known] = http.get("/api/v1/keys").json()["keys"]
    mine = next(one for one in live.call(list_keys(live.store)) if one.key_id == known["key_id"])
    return id_of_key(live.call(create_key(live.store, mine.owner, "spare")))


def _make_named(http: httpx.Client, session: str) -> dict[str, str]:
    """Train and save an adapter by the Twinkle protocol, and make a loader of rows."""
    headers = {"X-Twinkle-Session-Id": session}

    def post(path: str, /, **body: object) -> dict[str, str]:
        answer = http.post(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return cast("dict[str, str]", answer.json())

    model, name = "model/tiny/twinkle", "cockatoo"
    whole = post(f"{model}/add_adapter_to_model", adapter_name=name, config={"r": 4})
    post(f"{model}/set_optimizer", adapter_name=name, optimizer_cls="AdamW")
    post(f"{model}/forward_backward", adapter_name=name, inputs=[LABELLED])
    post(f"{model}/clip_grad_and_step", adapter_name=name)
    saved = post(f"{model}/save", adapter_name=name, name="kept")
    made = {"processor_type": "dataset", "class_type": "Dataset", "dataset_meta": {"data": RECORDS}}
    dataset = post("processor/twinkle/create", **made)["processor_id"]
    loading = {"processor_type": "dataloader", "class_type": "DataLoader", "batch_size": 1}
    return {
        "named": name,
        "named_model": whole["adapter_name"],
        "named_saved": saved["twinkle_path"],
        "dataset": dataset,
        "loader": post("processor/twinkle/create", **loading, dataset=dataset)["processor_id"],
    }


def _import_and_export(live: LiveService, http: httpx.Client, model: str) -> tuple[str, str, str]:
    """Take in as `parrot` what was saved of a model, and write it out.

    Returns the ids of run, checkpoint and export.
    """
    peft = live.config.client_weights_folder(model, "weights", "kept-2")
    wanted = {"folder": str(peft), "base_model": str(live.model_folder)}
    run = http.post("/api/v1/adapters/parrot/import", json=wanted).raise_for_status().json()
    checkpoints = http.get("/api/v1/runs/parrot/checkpoints").json()["checkpoints"]
    order = {"folder": str(live.config.home / "exported"), "format": "peft"}
    answer = http.post("/api/v1/adapters/parrot/exports", json=order).raise_for_status()
    export = str(answer.json()["export_id"])
    while http.get(f"/api/v1/exports/{export}").json()["state"] == "running":
        time.sleep(0.05)
    return str(run["run_id"]), str(checkpoints[0]["name"]), export


def a_pass(model: str, number: int) -> dict[str, object]:
    """Return the body of a pass over one row."""
    targets = {"data": ROW[1:], "dtype": "int64", "shape": [len(ROW) - 1]}
    datum = {
        "model_input": {"chunks": [{"type": "encoded_text", "tokens": ROW[:-1]}]},
        "loss_fn_inputs": {"target_tokens": targets},
    }
    inputs = {"data": [datum], "loss_fn": "cross_entropy"}
    return {"model_id": model, "seq_id": number, "forward_backward_input": inputs}


def a_sample(sampler: str, number: int) -> dict[str, object]:
    """Return the body of a request for a short answer."""
    return {
        "sampling_session_id": sampler,
        "seq_id": number,
        "prompt": {"chunks": [{"type": "encoded_text", "tokens": [5, 6, 7]}]},
        "sampling_params": {"max_tokens": 4},
    }
