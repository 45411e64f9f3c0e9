"""The stock `tinker` client, in environments of its own, against a real service over Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from tests.contracts.client_environment import make_client_environment, run_program
from tests.journeys.service_process import Service
from twinkle_jupyter.client.discovery import find_connection
from twinkle_jupyter.wire.tinker_schema import MESSAGES as MESSAGE_TABLE
from twinkle_jupyter.wire.tinker_schema import new_message

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

#: The newest, which speaks protobuf, and the last that spoke JSON.
CLIENTS = ("tinker==0.38.0", "tinker==0.24.1")
PROGRAMS = Path(__file__).parent / "programs"
TOUR, MESSAGES = PROGRAMS / "tinker_tour.py", PROGRAMS / "tinker_messages.py"


def test_a_stock_client_does_everything(service: Service, tiny_model: Path, tmp_path: Path) -> None:
    connection = find_connection()
    assert connection is not None
    tours = []
    for client in CLIENTS:
        python = make_client_environment(tmp_path / client, client)
        arguments = (connection.url, str(tiny_model))
        output = run_program(python, TOUR, *arguments, key=connection.api_key)
        tours.append(cast("dict[str, object]", json.loads(output.splitlines()[-1])))
        _check_training(tours[-1], str(tiny_model))
        _check_checkpoints(tours[-1], str(tiny_model))
        _check_sampling(tours[-1])
        _check_files(tours[-1], is_newest=client == CLIENTS[0])
        messages = json.loads(run_program(python, MESSAGES, key=connection.api_key))
        _check_messages(messages, is_newest=client == CLIENTS[0])
    # Whatever the client, the numbers are the same to the last bit.
    for name in ("losses", "norms", "whole", "second", "greedy", "three", "logprobs"):
        assert tours[0][name] == tours[1][name], name


def _check_messages(theirs: dict[str, dict[str, list[object]]], *, is_newest: bool) -> None:
    """Every field of ours is one of the newest client's, an enum being a number on the wire."""
    assert MESSAGE_TABLE.keys() <= theirs.keys() or not is_newest
    for name in MESSAGE_TABLE.keys() & theirs.keys():
        for field in new_message(name).DESCRIPTOR.fields:
            if str(field.number) not in theirs[name]:
                assert not is_newest, (name, field.name)
                continue
            their_name, kind, is_repeated = theirs[name][str(field.number)]
            kind = field.TYPE_INT32 if kind == field.TYPE_ENUM else kind
            assert [field.name, field.type, field.is_repeated] == [their_name, kind, is_repeated]


def _check_training(told: dict[str, object], base_model: str) -> None:
    losses = cast("list[float]", told["losses"])
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.7 * losses[0]
    assert told["info"] == base_model
    assert told["optim_metrics"] == ["grad_norm", "learning_rate", "step", "step_seconds"]
    whole = cast("list[float]", told["whole"])
    assert told["masked"] == whole
    assert all(value < 0 for value in whole)
    first_column = pytest.approx(-sum(whole), rel=1e-6)
    assert told["wide"] == [first_column, [len(whole), 2]]
    assert told["sparse"] == [first_column, [len(whole), 8]]
    assert "loss_fn='gspo' is not one of cross_entropy" in str(told["no_such_loss"])
    assert "target id 1000000" in str(told["no_such_token"])
    theirs, mine = cast("list[float]", told["custom"])
    assert mine == pytest.approx(theirs, rel=1e-6)
    norms = cast("list[float]", told["custom_norms"])
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)


def _check_checkpoints(told: dict[str, object], base_model: str) -> None:
    assert str(told["path"]) == f"tinker://{told['run_id']}/weights/first"
    assert "exists" in str(told["again"])
    assert "is no name for a checkpoint" in str(told["bad_name"])
    after = cast("list[float]", told["after"])
    assert after[0] == after[1] == after[2] == told["after_load"]
    assert told["steps"] == [6, 6, 1]
    going_on, resumed, fresh = cast("list[float]", told["second"])
    assert going_on == resumed != fresh
    assert told["loaded"] == told["path"]
    assert told["run_id"] in cast("list[str]", told["runs"])
    assert told["checkpoints"] == ["sampler_weights/s", "weights/first"]
    assert told["weights_info"] == [base_model, 4]
    assert told["expires"] == [True]
    assert "sampler_weights/s" not in cast("list[str]", told["left"])


def _check_files(told: dict[str, object], *, is_newest: bool) -> None:
    files = cast("dict[str, int]", told["files"])
    assert {"adapter_config.json", "adapter_model.safetensors"} <= files.keys()
    assert files["adapter_model.safetensors"] > 1000
    if is_newest:
        run, kind, name = str(told["copied"]).removeprefix("tinker://").split("/")
        assert (kind, name, told["copy_step"]) == ("weights", "first", 6)
        assert run != told["run_id"]
        polled = cast("list[list[int]]", told["polled"])
        assert [len(one) for one in polled] == [4, 4, 4]
        assert polled[0] == polled[1] == polled[2]
        assert told["drawn"] == told["likeliest"]
        own, chosen = cast("list[list[float]]", told["targets"])
        assert chosen == pytest.approx(own)


def _check_sampling(told: dict[str, object]) -> None:
    greedy = cast("list[int]", told["greedy"])
    assert told["unnamed"] == greedy
    assert told["reasons"] == ["length", "stop"]
    reason, tokens = cast("tuple[str, list[int]]", told["stopped"])
    assert (reason, tokens) == ("stop", greedy[: len(tokens)])
    three = cast("list[list[int]]", told["three"])
    assert three == told["three_again"]
    assert len({tuple(one) for one in three}) == 3
    first, *logprobs = cast("list[float | None]", told["logprobs"])
    assert first is None
    assert logprobs == pytest.approx(told["trained_logprobs"], abs=1e-4)
    topk = cast("tuple[list[float], list[list[tuple[int, float]] | None]]", told["topk"])
    assert topk[1][0] is None
    for score, row in zip(topk[0][1:], topk[1][1:], strict=True):
        assert row is not None
        assert row[0][1] >= max(row[1][1], score - 1e-6)
    # Each token's ratio is 1: what the sampler says of it is what the trainer says.
    for loss in cast("dict[str, float]", told["policy"]).values():
        assert loss == pytest.approx(-len(greedy), abs=1e-3)
