"""What a mean is, what a step is taken with, and when: to the number."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.client.live_service import LiveService
from tests.service.twinkle.conftest import OTHER, ROW, TwinkleUser
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.store.client_rows import SessionRow
from twinkle_jupyter.store.interface import Row

ADAM: dict[str, Any] = {"optimizer_cls": "AdamW", "lr": 0.01, "weight_decay": 0.0}


def _norm(anna: TwinkleUser, adapter: str = "a", clip: float = 1e9) -> float:
    return float(anna.result("clip_grad_norm", adapter, max_grad_norm=clip))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_step_is_taken_with_the_mean_over_labels(anna: TwinkleUser, reduction: str) -> None:
    """Both ways of saying it lead to the same gradient, whatever the passes are cut into."""
    anna.add("whole", seed=3)
    anna.add("cut", seed=3)
    for name in ("whole", "cut"):
        anna.do("set_loss", name, loss_cls="CrossEntropyLoss", reduction=reduction)
        anna.do("set_optimizer", name, **ADAM)
    whole = anna.result("forward_backward", "whole", inputs=[ROW, ROW])
    parts = [anna.result("forward_backward", "cut", inputs=[ROW]) for _ in range(2)]
    labels = 3
    factor = 2 if reduction == "sum" else 1
    assert whole["loss"] == pytest.approx(factor * parts[0]["loss"], rel=1e-6)
    assert whole["num_tokens"] == (2 * labels if reduction == "sum" else 0)
    assert -sum(parts[0]["logps"][0]) == pytest.approx(
        parts[0]["loss"] * (1 if reduction == "sum" else labels), rel=1e-6
    )
    assert _norm(anna, "cut") == pytest.approx(_norm(anna, "whole"), rel=1e-5)
    for name in ("whole", "cut"):
        anna.do("step", name)
    assert anna.logps("cut")[0] == pytest.approx(anna.logps("whole")[0], abs=1e-5)


def test_clipping_is_what_torch_does_to_the_mean(anna: TwinkleUser) -> None:
    """Adam forgets a scale at its first step, so that the second one tells of the clipping."""
    for name in ("once", "apart"):
        anna.add(name, seed=1)
        anna.do("set_optimizer", name, **ADAM)
        anna.do("set_loss", name, loss_cls="CrossEntropyLoss", reduction="sum")
    for clip in (0.5, 1e9):
        for name in ("once", "apart"):
            anna.result("forward_backward", name, inputs=[ROW])
        anna.do("clip_grad_and_step", "once", max_grad_norm=clip)
        _norm(anna, "apart", clip)
        anna.do("step", "apart")
        anna.do("zero_grad", "apart")
    assert anna.logps("apart") == anna.logps("once")
    told = anna.result("calculate_metric", "once")
    assert float(told["grad_norm"]) > 0.5


def test_gradients_accumulate_until_a_step_is_due(anna: TwinkleUser) -> None:
    anna.add("several", gradient_accumulation_steps=2, seed=2)
    anna.add("one", seed=2)
    for name in ("several", "one"):
        anna.do("set_optimizer", name, **ADAM)
        anna.do("set_lr_scheduler", name, scheduler_cls="StepLR", step_size=1, gamma=0.5)
    before = anna.logps("several")
    anna.result("forward_backward", "several", inputs=[ROW])
    anna.do("clip_grad_and_step", "several")
    assert anna.logps("several") == before
    anna.result("forward_backward", "several", inputs=[ROW])
    anna.do("clip_grad_and_step", "several")
    anna.result("forward_backward", "one", inputs=[ROW, ROW])
    anna.do("clip_grad_and_step", "one")
    assert anna.logps("several")[0] == pytest.approx(anna.logps("one")[0], abs=1e-5)
    configs = [json.loads(anna.result("get_train_configs", name)) for name in ("several", "one")]
    assert [config["current_learning_rate"] for config in configs] == [0.005, 0.005]
    assert [config["cur_step"] for config in configs] == [2, 1]


def test_a_pass_in_pieces_is_the_pass(anna: TwinkleUser) -> None:
    anna.add()
    assert anna.model("backward").status_code == 409
    logps = anna.result("forward", inputs=[ROW, OTHER])["logps"]
    assert [len(row) for row in logps] == [5, 5]
    assert logps[1][2:] == [0, 0, 0]
    loss = anna.result("calculate_loss")
    assert loss == pytest.approx(-sum(map(sum, logps)) / 5, rel=1e-6)
    anna.do("backward")
    apart = _norm(anna)
    anna.do("zero_grad")
    assert anna.result("forward_backward", inputs=[ROW, OTHER])["loss"] == loss
    assert _norm(anna) == pytest.approx(apart, rel=1e-6)
    anna.do("zero_grad")
    # A batch in columns, and a packed row, are the same rows.
    padded: dict[str, Any] = {
        name: [ROW[name], [*OTHER[name], filler, filler]]
        for name, filler in (("input_ids", 0), ("labels", -100))
    }
    padded["attention_mask"] = [[1] * 5, [1, 1, 1, 0, 0]]
    packed = {name: [*ROW[name], *OTHER[name]] for name in ROW}
    packed["position_ids"] = [0, 1, 2, 3, 4, 0, 1, 2]
    for inputs in (padded, [packed]):
        assert anna.result("forward_backward", inputs=inputs)["loss"] == pytest.approx(loss)


def test_policy_losses_are_averaged_as_their_names_say(anna: TwinkleUser) -> None:
    """At ratio 1 a position costs its advantage, so that the averages are plain to see."""
    anna.add()
    gains: dict[str, Any] = {"advantages": [1.0, [4.0, 6.0]]}
    sums = 3 * 1.0 + 10.0
    cases: tuple[tuple[str, float, dict[str, Any]], ...] = (
        ("GRPOLoss", (1.0 + 5.0) / 2, {}),
        ("BNPOLoss", sums / 5, {}),
        ("PPOLoss", sums / 5, {}),
        ("ppo", (1.0 + 5.0) / 2, {"loss_agg_mode": "seq-mean-token-mean"}),
        ("DRGRPOLoss", sums / (2 * 10), {"max_completion_length": 10}),
    )
    old: list[list[float]] = []
    for name, loss, more in cases:
        anna.do("set_loss", loss_cls=name, **more)
        told = anna.result("forward_backward", inputs=[ROW, OTHER], **gains)
        old = told["logps"]
        assert told["loss"] == pytest.approx(-loss), name
        near = anna.result("forward_backward", inputs=[ROW, OTHER], old_logps=old, **gains)
        assert near["loss"] == pytest.approx(-loss, rel=1e-4), name
        anna.do("zero_grad")
    # Far off, the ratio is clipped at 1 + epsilon where that is the lesser gain.
    low = [[p - math.log(2) for p in row] for row in old]
    anna.do("set_loss", loss_cls="GRPOLoss", epsilon=0.2)
    told = anna.result("forward_backward", inputs=[ROW, OTHER], old_logps=low, **gains)
    assert told["loss"] == pytest.approx(-1.2 * 3.0, rel=1e-4)
    # Without advantages there is nothing to learn, and the log-probabilities all the same.
    anna.do("zero_grad")
    assert anna.result("forward_backward", inputs=[ROW])["loss"] == 0
    assert _norm(anna) == 0


def test_of_two_answers_the_better_one_gains(anna: TwinkleUser) -> None:
    anna.add()
    anna.do("set_optimizer", **ADAM)
    anna.do("set_loss", loss_cls="DPOLoss", beta=0.5)
    reference = anna.result("forward_only", inputs=[ROW, OTHER], disable_lora=True)
    losses = []
    for _ in range(3):
        told = anna.result("forward_backward", inputs=[ROW, OTHER], ref_outputs=reference)
        losses.append(told["loss"])
        anna.do("clip_grad_and_step")
    assert losses[0] == pytest.approx(math.log(2), abs=1e-4)
    assert losses == sorted(losses, reverse=True)
    # A mean over pairs: twice the same ones are no more than once.
    norms = []
    wide = {"logps": 2 * reference["logps"]}
    for times, outputs in ((1, reference), (2, wide)):
        anna.result("forward_backward", inputs=times * [ROW, OTHER], ref_outputs=outputs)
        norms.append(_norm(anna))
        anna.do("zero_grad")
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)
    # The likelihood of the chosen answers beside it: a mean over their labels.
    anna.do("set_loss", loss_cls="DPOLoss", beta=0.5)
    plain = anna.result("forward_backward", inputs=2 * [ROW, OTHER], ref_outputs=wide)
    anna.do("zero_grad")
    anna.do("set_loss", loss_cls="DPOLoss", beta=0.5, sft_weight=2.0)
    both = anna.result("forward_backward", inputs=2 * [ROW, OTHER], ref_outputs=wide)
    anna.do("zero_grad")
    learned = [place for place, label in enumerate(ROW["labels"]) if label != -100]
    likelihood = sum(plain["logps"][0][place] for place in learned) / len(learned)
    assert both["loss"] == pytest.approx(plain["loss"] - 2.0 * likelihood, rel=1e-4)
    odd = anna.model("forward_backward", inputs=[ROW], ref_outputs={"logps": [[0.0] * 5]})
    assert odd.status_code == 422
    assert "pairs" in odd.json()["detail"]


@pytest.mark.parametrize(
    ("route", "body", "told"),
    [
        ("forward_backward", {"inputs": []}, "inputs is empty"),
        ("forward_backward", {"inputs": [{"input_ids": [1, 2]}]}, "No position"),
        ("forward_backward", {"inputs": [{"input_ids": [1], "labels": [1, 2]}]}, "2 labels"),
        ("forward_backward", {"inputs": [{"input_ids": ["x"]}]}, "whole numbers"),
        ("forward_backward", {"inputs": [{"input_ids": [10**6], "labels": [1]}]}, "1000000"),
        ("forward_backward", {"inputs": [{"text": "x"}]}, "no conversation"),
        ("forward_backward", {"inputs": [ROW], "temprature": 2}, "does not take temprature"),
        ("forward_backward", {"inputs": [ROW], "temperature": 2}, "temperature=2"),
        ("set_optimizer", {"optimizer_cls": "AdamW", "learning_rate": 1}, "learning_rate"),
        ("set_optimizer", {"optimizer_cls": "Adam", "weight_decay": 0.1}, "AdamW has a decay"),
        ("set_lr_scheduler", {"scheduler_cls": "StepLR"}, "needs step_size"),
        ("set_loss", {"loss_cls": "GRPOLoss", "beta": 0.1}, "beta=0.1"),
        ("set_template", {"template_cls": "Template", "model_id": "other"}, "no base model"),
        ("set_template", {"template_cls": "Template", "max_length": "x"}, "max_length='x'"),
        ("clip_grad_norm", {"norm_type": 1}, "norm_type=1"),
        ("save", {"name": "-"}, "is no name"),
        ("load", {"name": "twinkle://a/b"}, "is not tinker://"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_happens(
    anna: TwinkleUser, route: str, body: dict[str, Any], told: str
) -> None:
    anna.add()
    answer = anna.model(route, **body)
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["detail"]
    assert anna.result("forward_backward", inputs=[ROW])["loss"] > 0


def test_the_same_adapter_may_be_added_again(anna: TwinkleUser) -> None:
    whole = anna.add(lora={"r": 4, "target_modules": ["q_proj", "v_proj"]})
    again = {"r": 4, "target_modules": ["v_proj", "q_proj"], "peft_type": "LORA"}
    assert anna.add(lora=again) == whole
    answer = anna.model("add_adapter_to_model", config={"r": 4, "target_modules": "q_proj"})
    assert answer.status_code == 409
    assert "another targets" in answer.json()["detail"]
    # In another session the whole name still says which one.
    anna.result("forward_backward", inputs=[ROW])
    anna.begin()
    assert anna.model("get_train_configs").status_code == 404
    assert json.loads(anna.result("get_train_configs", whole))["cur_step"] == 1


def test_the_adapter_of_a_silent_session_comes_back(live: LiveService, anna: TwinkleUser) -> None:
    whole = anna.add()
    anna.do("set_optimizer", **ADAM)
    for _ in range(2):
        anna.result("forward_backward", inputs=[ROW])
        anna.do("clip_grad_and_step")
    before = anna.logps()

    def change(row: Row | None) -> Row:
        assert row is not None
        return SessionRow.from_row(row).changed(heard_at="2026-01-01T00:00:00+00:00").to_row()

    live.call(live.store.update(SessionRow.key("anna", anna.session), change))
    live.call(live.app.state.tinker.keeper.look())
    assert live.compute is not None
    assert live.call(live.compute.trainer.position(AdapterId(whole))) is None
    assert anna.logps() == before
    anna.gateway("session_heartbeat", session_id=anna.session).raise_for_status()
    assert anna.result("forward_backward", inputs=[ROW])["loss"] > 0
    answer = anna.sampler("sample", inputs=[ROW], adapter_name="a", sampling_params={"seed": 1})
    assert answer.status_code == 200, answer.text
