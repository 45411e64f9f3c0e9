"""Ops by sequence id: any order, once each, whatever was wrong with one of them."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import ROW, TinkerUser


def _loss(result: dict[str, object]) -> float:
    return cast("dict[str, float]", result["metrics"])["loss:sum"]


def test_ops_run_in_the_order_of_their_ids_each_once(live: LiveService, anna: TinkerUser) -> None:
    model = anna.create_model()
    # The client posts the first chunk last; the step after them may be there before it.
    others = [anna.forward_backward(model, number, ROW[number:]) for number in (2, 3)]
    step = anna.optim_step(model, 4).json()["request_id"]
    live.app.state.tinker.futures.hold_s = 0.3
    held = anna.retrieve(step)
    assert (held.status_code, held.json()) == (408, {"queue_state": "active"})
    live.app.state.tinker.futures.hold_s = 30.0
    first = anna.forward_backward(model, 1)
    names = [answer.json()["request_id"] for answer in (first, *others)]
    losses = [_loss(anna.result(name)) for name in names]
    assert cast("dict[str, float]", anna.result(step)["metrics"])["step"] == 1

    # Sent again, or asked for again: the same answer, and no second step.
    again = anna.forward_backward(model, 1).json()["request_id"]
    assert again == names[0]
    assert [_loss(anna.result(name)) for name in names] == losses
    after = anna.forward_backward(model, 5).json()["request_id"]
    assert _loss(anna.result(after)) < losses[0]
    assert anna.result(anna.optim_step(model, 4).json()["request_id"]) == anna.result(step)


def test_another_request_under_a_known_id_is_told_at_once(anna: TinkerUser) -> None:
    model = anna.create_model()
    assert anna.optim_step(model, 2).status_code == 200
    answer = anna.forward_backward(model, 2)
    assert answer.status_code == 400
    assert "was sent before with another request" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("loss", "rows", "told"),
    [
        ("gspo", (ROW,), "loss_fn='gspo' is not one of cross_entropy"),
        ("ppo", (ROW,), "data[0] has no loss_fn_inputs['logprobs'], which ppo needs"),
        ("cross_entropy", ((1, 10**6),), "target id 1000000"),
        ("cross_entropy", ((1,),), "Example 1 has no tokens"),
    ],
)
def test_a_refused_pass_spends_its_id_and_leaves_no_trace(
    anna: TinkerUser, loss: str, rows: tuple[tuple[int, ...], ...], told: str
) -> None:
    model, twin = anna.create_model(), anna.create_model()
    answer = anna.forward_backward(model, 1, *rows, loss=loss)
    assert answer.status_code == 200, answer.text
    failure = anna.result(answer.json()["request_id"])
    assert failure["category"] == "user"
    assert told in str(failure["error"])
    assert anna.result(answer.json()["request_id"]) == failure
    passed = anna.result(anna.forward_backward(model, 2).json()["request_id"])
    theirs = anna.result(anna.forward_backward(twin, 1).json()["request_id"])
    assert passed["loss_fn_outputs"] == theirs["loss_fn_outputs"]
    steps = [anna.optim_step(model, 3), anna.optim_step(twin, 2)]
    norms = [anna.result(step.json()["request_id"])["metrics"] for step in steps]
    assert cast("dict[str, float]", norms[0])["grad_norm"] == pytest.approx(
        cast("dict[str, float]", norms[1])["grad_norm"]
    )


def _save(live: LiveService, anna: TinkerUser, model: str) -> dict[str, Tensor]:
    """Save a model that has had one op; return its weights by PEFT's names."""
    name = anna.post("save_weights", model_id=model, seq_id=2, path="now").json()["request_id"]
    anna.result(name)
    folder = live.config.client_weights_folder(model, "weights", "now-2")
    return load_file(folder / "adapter_model.safetensors")


def test_what_is_trained_is_what_was_asked_for(live: LiveService, anna: TinkerUser) -> None:
    models = {
        "both": anna.create_model(),
        "again": anna.create_model(),
        "seed": anna.create_model(seed=2),
        "attn": anna.create_model(train_mlp=False),
        "mlp": anna.create_model(train_attn=False),
    }
    saved = {}
    for name, model in models.items():
        anna.forward_backward(model, 1)
        saved[name] = _save(live, anna, model)
    both = saved["both"]
    assert all(torch.equal(tensor, saved["again"][name]) for name, tensor in both.items())
    assert any(not torch.equal(tensor, saved["seed"][name]) for name, tensor in both.items())
    parts = {name: name in saved["attn"] for name in both}
    assert {("self_attn" in name) is is_attn for name, is_attn in parts.items()} == {True}
    assert saved["attn"].keys() | saved["mlp"].keys() == both.keys()
    assert not saved["attn"].keys() & saved["mlp"].keys()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"lora_config": {"rank": 0}}, "lora_config.rank"),
        ({"lora_config": {"rank": 4, "train_mlp": False, "train_attn": False}}, "nothing to train"),
        ({"optimizer_config": {"type": "dimuon"}}, "optimizer_config.type='dimuon'"),
        ({"model_seq_id": -1}, "model_seq_id"),
        ({"base_model": ""}, "base_model"),
    ],
)
def test_a_model_that_cannot_be_is_refused_at_once(
    anna: TinkerUser, body: dict[str, object], told: str
) -> None:
    whole = {"session_id": anna.session, "model_seq_id": 0, "base_model": "tiny", **body}
    answer = anna.post("create_model", **whole)
    assert answer.status_code in (400, 422)
    assert told in answer.json()["detail"]


def test_a_model_made_twice_is_one_and_another_under_its_number_is_refused(
    anna: TinkerUser,
) -> None:
    model = anna.create_model()
    body = {"session_id": anna.session, "model_seq_id": 0, "base_model": "tiny"}
    again = anna.post("create_model", **body, lora_config={"rank": 4, "seed": 1})
    assert again.json()["model_id"] == model
    other = anna.post("create_model", **body, lora_config={"rank": 8, "seed": 1})
    assert other.status_code == 400
    assert "exists with another rank" in other.json()["detail"]


def test_no_user_reaches_what_is_anothers(anna: TinkerUser, ben: TinkerUser) -> None:
    model = anna.create_model()
    request = anna.forward_backward(model, 1).json()["request_id"]
    saved = anna.post("save_weights", model_id=model, seq_id=2, path="mine").json()["request_id"]
    path = str(anna.result(saved)["path"])
    opened = anna.post(
        "create_sampling_session",
        session_id=anna.session,
        sampling_session_seq_id=0,
        base_model="tiny",
    )
    sampler = opened.json()["sampling_session_id"]
    prompt = {"chunks": [{"type": "encoded_text", "tokens": [1, 2]}]}
    asked = anna.post("asample", sampling_session_id=sampler, seq_id=1, prompt=prompt).json()
    attempts = [
        ben.post("session_heartbeat", session_id=anna.session),
        ben.post(f"sessions/{anna.session}/finish"),
        ben.post("create_model", session_id=anna.session, model_seq_id=9, base_model="tiny"),
        ben.post("get_info", model_id=model),
        ben.post("unload_model", model_id=model),
        ben.forward_backward(model, 3),
        ben.optim_step(model, 3),
        ben.post("save_weights", model_id=model, seq_id=3, path="x"),
        ben.post("save_weights_for_sampler", model_id=model, seq_id=3, path="x"),
        ben.post("load_weights", model_id=model, seq_id=3, path=path),
        ben.post("load_weights", session_id=ben.session, model_seq_id=0, path=path),
        ben.post("weights_info", tinker_path=path),
        ben.retrieve(request),
        ben.retrieve(saved),
        ben.post(
            "create_sampling_session",
            session_id=ben.session,
            sampling_session_seq_id=0,
            model_path=path,
        ),
        ben.post("asample", sampling_session_id=sampler, seq_id=2, prompt=prompt),
    ]
    assert {answer.status_code for answer in attempts} == {404}
    assert ben.retrieve(asked["request_id"]).status_code == 410
    for listing in ("training_runs", "checkpoints", "sessions"):
        body = ben.http.get(f"/api/v1/{listing}").json()
        assert anna.session not in str(body), listing
    assert anna.result(request)["type"] == "forward_backward"
