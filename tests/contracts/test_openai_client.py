"""The stock `openai` client, in an environment of its own, against a real service over Ray."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.contracts.client_environment import make_client_environment, run_program
from tests.journeys.conftest import wait_until
from tests.journeys.service_process import Service
from tests.records import SUMS
from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.config.run_config import RunConfig

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

TOUR = Path(__file__).parent / "programs" / "openai_tour.py"


def test_a_stock_client_does_everything(service: Service, tiny_model: Path, tmp_path: Path) -> None:
    connection = find_connection()
    assert connection is not None
    model = str(tiny_model)
    with service.client() as client:
        config = RunConfig(adapter="adder", base_model=model, steps=3, learning_rate=0.05)
        run = client.start_run(config, SUMS).run_id
        path = _save_by_tinker(connection, model)
        wait_until(lambda: client.run(run).state == "finished", 90, "the end of the run")
    python = make_client_environment(tmp_path / "openai", "openai==3.57.0")
    arguments = (connection.url, model, "adder", path)
    told = json.loads(run_program(python, TOUR, *arguments, key=connection.api_key))

    assert {model, "adder", path} <= set(told["models"])
    assert told["one_model"] == path
    _check_chat(told, model, path)
    _check_completions(told)
    _check_errors(told)


def _save_by_tinker(connection: Connection, model: str) -> str:
    """Train and save an adapter as a client of another protocol; return its path."""
    headers = {"X-API-Key": connection.api_key}
    with httpx.Client(base_url=f"{connection.url}/api/v1", headers=headers, timeout=60) as http:

        def post(route: str, **body: object) -> dict[str, str]:
            answer = http.post(route, json=body).raise_for_status().json()
            if "request_id" in answer:
                answer = _result(http, answer["request_id"])
            return cast("dict[str, str]", answer)

        session = post("create_session")["session_id"]
        lora = {"rank": 4, "seed": 1}
        made = post(
            "create_model",
            session_id=session,
            model_seq_id=0,
            base_model=model,
            lora_config=lora,
        )
        tensor = {"data": [6, 7, 8], "dtype": "int64"}
        datum = {
            "model_input": {"chunks": [{"tokens": [5, 6, 7]}]},
            "loss_fn_inputs": {"target_tokens": tensor},
        }
        inputs = {"data": [datum], "loss_fn": "cross_entropy"}
        name = made["model_id"]
        post("forward_backward", model_id=name, seq_id=1, forward_backward_input=inputs)
        post("optim_step", model_id=name, seq_id=2, adam_params={"learning_rate": 0.1})
        return post("save_weights_for_sampler", model_id=name, seq_id=3, path="s")["path"]


def _result(http: httpx.Client, request_id: str) -> dict[str, object]:
    while True:
        answer = http.post("retrieve_future", json={"request_id": request_id})
        if answer.status_code != 408:
            return cast("dict[str, object]", answer.raise_for_status().json())


def _check_chat(told: dict[str, object], model: str, path: str) -> None:
    role, text, reason = cast("tuple[str, str, str]", told["plain"])
    assert (role, reason) == ("assistant", "length")
    assert text
    usage = cast("dict[str, int]", told["usage"])
    assert usage["completion_tokens"] == 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + 8
    assert told["first_delta"] == {"role": "assistant", "content": ""}
    assert told["streamed"] == told["helper"] == told["parts"] == told["unknown_field"] == text
    last_reason, choices, last_usage = cast("list[object]", told["last"])
    assert (last_reason, choices) == ("length", [])
    assert cast("dict[str, int]", last_usage)["total_tokens"] == usage["total_tokens"]
    by_name = cast("dict[str, str]", told["by_name"])
    assert by_name[path] == by_name[f"{model};{path}"] == told["by_uri"] != text
    assert by_name["adder"] not in (text, by_name[path])

    first, again = cast("list[list[str]]", told["several"])
    assert first == again == told["several_streamed"]
    assert len(set(first)) == 3
    stop, whole, cut, stop_reason = cast("list[str]", told["stop"])
    assert cut == whole[: whole.index(stop)] == told["stop_streamed"]
    assert stop_reason == "stop"
    tokens = cast("list[tuple[str, float, str, list[tuple[str, float]]]]", told["logprobs"])
    assert "".join(token for token, *_ in tokens) == text
    for token, logprob, spelled, top in tokens:
        assert spelled == token
        assert tuple(top[0]) == (token, pytest.approx(logprob, abs=1e-5))
        assert [value for _, value in top] == sorted((v for _, v in top), reverse=True)


def _check_completions(told: dict[str, object]) -> None:
    choices = cast("list[tuple[int, str, str]]", told["completions"])
    assert [index for index, *_ in choices] == [0, 1, 2, 3]
    assert choices[0][1] == choices[1][1] == told["completion_streamed"]
    assert choices[2][1] == choices[3][1] != choices[0][1]
    assert cast("dict[str, int]", told["completion_usage"])["completion_tokens"] == 16
    text, tokens, logprobs, offsets, top = cast("list[Sequence[object]]", told["score"])
    assert str(text) == "".join(map(str, tokens)) == "One fish, two"
    assert logprobs[0] is None
    assert all(cast("float", value) < 0 for value in logprobs[1:])
    assert offsets == [len("".join(map(str, tokens[:place]))) for place in range(len(tokens))]
    assert top[0] is None
    assert all(len(cast("dict[str, float]", row)) == 1 for row in top[1:])
    assert told["score_usage"] == 0


def _check_errors(told: dict[str, object]) -> None:
    kind = "invalid_request_error"
    for name, beginning, message in (
        ("no_model", ["NotFoundError", 404, kind, "model_not_found"], "There is no model 'nobody'"),
        ("no_key", ["AuthenticationError", 401], "does not know this API key"),
        ("no_tools", ["BadRequestError", 400, kind, "invalid_config"], "tools are not there"),
        ("bias", ["BadRequestError", 400, kind], "logit_bias is not there"),
        ("penalty", ["BadRequestError", 400, kind], "frequency_penalty"),
        ("too_hot", ["BadRequestError", 400, kind], "temperature"),
        ("image", ["BadRequestError", 400, kind], "part of type 'image_url'"),
    ):
        answer = cast("list[object]", told[name])
        assert answer[: len(beginning)] == beginning, name
        assert message in str(answer[-1]), name
