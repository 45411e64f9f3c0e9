"""The stock `twinkle_client`, in an environment of its own, against a real service over Ray."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import pytest

from tests.contracts.client_environment import make_client_environment, run_program
from tests.journeys.service_process import Service
from twinkle_jupyter.client.discovery import find_connection

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

#: What it declares would replace half of what it is run with, and works without.
PACKAGES = (
    *("twinkle-kit==0.5.1", "datasets==5.2.0"),
    *("dill", "multiprocess", "xxhash", "pillow"),
)
TOUR = Path(__file__).parent / "programs" / "twinkle_tour.py"
Told = dict[str, Any]


def test_a_stock_client_does_everything(service: Service, tiny_model: Path, tmp_path: Path) -> None:
    connection = find_connection()
    assert connection is not None
    python = make_client_environment(tmp_path / "client", *PACKAGES, with_dependencies=False)
    arguments = (connection.url, str(tiny_model), connection.api_key)
    output = run_program(python, TOUR, *arguments, key=connection.api_key)
    told = cast("Told", json.loads(output.splitlines()[-1]))
    _check_training(told)
    _check_pieces(told)
    _check_checkpoints(told, str(tiny_model))
    _check_sampling(told)
    _check_data(told)
    _check_refusals(told)


def _check_training(told: Told) -> None:
    losses = told["losses"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]
    assert [table["loss"] for table in told["tables"]] == [f"{loss:.4f}" for loss in losses]
    rates = [float(table["learning rate"]) for table in told["tables"]]
    assert rates == pytest.approx([0.0095, 0.009, 0.0085, 0.008, 0.0075])
    assert told["configs"]["schedule_step"] == told["configs"]["cur_step"] == 5
    assert "409" in told["other_shape"]
    assert "exists with another rank." in told["other_shape"]
    assert told["health"] is True


def _check_pieces(told: Told) -> None:
    """A mean over labels, the same in pieces as at once, and a gradient that can be thrown away."""
    [logps] = told["alone"]["logps"]
    assert logps[0] == logps[3] == 0
    assert told["loss"] == told["eval_loss"] == pytest.approx(-(logps[1] + logps[2]) / 2)
    assert told["forward"]["logps"] == [logps]
    assert told["eval"] == {"loss": f"{told['eval_loss']:.4f}"}
    assert told["norm"] == pytest.approx(told["norm_again"], rel=1e-5)
    assert told["no_gradient"] == 0
    assert sum(told["after_step"][0]) > sum(logps)
    assert told["plain"]["logps"][0][1:3] != logps[1:3]


def _check_checkpoints(told: Told, base_model: str) -> None:
    path = f"twinkle://{told['runs'][-1]}/weights/first_one"
    assert told["saved"][0] == path
    assert told["progress"] == told["only_model"]
    assert told["progress"] == {
        "cur_step": 7,
        "consumed_train_samples": 10,
        "gradient_accumulation_steps": 1,
    }
    going_on, resumed = told["on"]
    assert going_on == resumed
    assert told["loaded"] == told["after_step"]
    assert told["numbers"] == 28
    assert told["run"] == 4
    assert told["checkpoints"][0] == "weights/first_one"
    assert told["latest"] == told["snapshot"]
    assert told["info"]["base_model"] == base_model
    assert told["deleted"] is True
    assert "There is no checkpoint" in told["gone"]


def _check_sampling(told: Told) -> None:
    tokens, decoded, reason = told["answer"]
    assert (len(tokens), reason) == (6, "length")
    assert told["by_name"] == tokens != told["base"]
    assert [token for token, _ in told["answer_logprobs"]] == tokens
    # What the sampler says of its tokens is what the trainer says, as the row comes back.
    said = [logprob for _, logprob in told["answer_logprobs"]]
    assert told["scored"] == pytest.approx(said, abs=1e-4)
    assert told["grown"][1] == "assistant"
    assert [line["tokens"] for line in told["lines"]] == [[token] for token in tokens]
    assert "".join(line["delta"] for line in told["lines"]) == decoded
    assert told["lines"][-1]["finish_reason"] == "length"
    assert len({tuple(one) for one in told["several"]}) == 4
    prompt, top = told["prompt"]
    assert (prompt[0], top[0], len(prompt)) == (None, None, 3)
    assert top[1][0][1] >= top[1][1][1] >= prompt[1]
    # Each ratio is 1, and each advantage 2.
    assert told["grpo"] == pytest.approx(-2, abs=1e-3)
    assert told["grpo_now"] == pytest.approx(-2)
    # A fresh adapter is its own reference.
    assert told["dpo"] == pytest.approx(math.log(2), abs=1e-5)


def _check_data(told: Told) -> None:
    assert (told["box"], told["mapped"]) == (6, "Bob.")
    assert {"input_ids", "labels", "attention_mask", "position_ids"} < set(told["encoded"])
    assert told["batches"] == [3, 2, 2, 1]
    assert told["rest"] == [[told["fifth"]]]
    assert told["state"] == {"consumed_train_samples": 5}
    assert told["batch_loss"] > 0
    assert (told["packs"], told["in_pack"]) == (3, 2)


def _check_refusals(told: Told) -> None:
    sentences = {
        "loss": "loss_cls='os.system' is not one of CrossEntropyLoss, ",
        "optimizer": "optimizer_cls='SGD' is not one of AdamW, Adam.",
        "schedule": "scheduler_cls='LambdaLR' is not one of CosineWarmupScheduler, ",
        "template": "template_cls='hub://evil/Template' is not one of Template, ",
        "metric": "metric_cls='Evil' is not one of LossMetric, ",
        "processor": "processor_cls='Evil' is not one of InputProcessor.",
        "patch": "patch_cls='Evil' is not applied",
        "dora": "An adapter here cannot have use_dora=True.",
        "save_dir": "save_dir is not taken",
        "no_config": "config is missing",
        "load": "'/etc' is not the path of a checkpoint",
        "hub": "'org/weights' is not the path of a checkpoint",
        "uri": "'/etc' is not the path of a checkpoint",
        "upload": "a service uploads nothing to a hub",
        "dataset": "dataset_id='/etc/passwd' is not a data set of this service",
        "write": "save_as is not there. A service writes no files",
        "code": "preprocess_func='eval' is not one of SelfCognitionProcessor, ",
    }
    assert told["refused"].keys() == sentences.keys()
    for name, sentence in sentences.items():
        assert "422 Error" in told["refused"][name]
        assert sentence in told["refused"][name], name
