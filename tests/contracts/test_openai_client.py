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
from tests.tiny_model import TURN_END, build_tiny_model
from tests.tool_templates import TAGGED
from twinkle_jupyter.client.discovery import Connection, find_connection
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.templates.chat_template import ChatTemplate

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

STEPS = 30
TOUR = Path(__file__).parent / "programs" / "openai_tour.py"


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
#: A call, and its end, in words that the model has.
CALL = (
    "<tool_call>\n",
    '{"name": "weather", "arguments": ',
    '{"city": "Paris"}}',
    "\n</tool_call>",
)


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """The tiny model, with a template that has functions, and room for them in its prompts."""
    folder = build_tiny_model(tmp_path / "tiny", words=CALL)
    (folder / "chat_template.jinja").write_text(TAGGED)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 1024}))
    return folder


def test_a_stock_client_does_everything(service: Service, tiny_model: Path, tmp_path: Path) -> None:
    connection = find_connection()
    assert connection is not None
    model = str(tiny_model)
    with service.client() as client:
        config = RunConfig(adapter="adder", base_model=model, steps=3, learning_rate=0.05)
        run = client.start_run(config, SUMS).run_id
        path = _save_by_tinker(connection, tiny_model)
        wait_until(lambda: client.run(run).state == "finished", 90, "the end of the run")
    python = make_client_environment(tmp_path / "openai", "openai==3.57.0")
    arguments = (connection.url, model, "adder", path, json.dumps(TOOL))
    told = json.loads(run_program(python, TOUR, *arguments, key=connection.api_key))

    assert {model, "adder", path} <= set(told["models"])
    assert told["one_model"] == path
    _check_chat(told, model, path)
    _check_tools(told)
    _check_completions(told)
    _check_errors(told)


def _save_by_tinker(connection: Connection, model: Path) -> str:
    """Train an adapter to call a function, as a client of another protocol; return its path."""
    template = ChatTemplate.load(model)
    question = [{"role": "user", "content": "Rain in Paris?"}]
    prompt = template.encode_prompt(question, tools=[TOOL])
    row = template.encode_prompt(question, tools=[TOOL], opening="".join(CALL) + TURN_END)
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
            base_model=str(model),
            lora_config=lora,
        )
        weights = [0.0] * (len(prompt) - 1) + [1.0] * (len(row) - len(prompt))
        datum = {
            "model_input": {"chunks": [{"tokens": row[:-1]}]},
            "loss_fn_inputs": {
                "target_tokens": {"data": row[1:], "dtype": "int64"},
                "weights": {"data": weights, "dtype": "float32"},
            },
        }
        inputs = {"data": [datum], "loss_fn": "cross_entropy"}
        ids = {"model_id": made["model_id"]}
        for number in range(1, 2 * STEPS, 2):
            # Nobody waits for these: what is asked for next comes after them anyway.
            http.post(
                "forward_backward", json={**ids, "seq_id": number, "forward_backward_input": inputs}
            ).raise_for_status()
            adam = {"learning_rate": 0.01}
            http.post(
                "optim_step", json={**ids, "seq_id": number + 1, "adam_params": adam}
            ).raise_for_status()
        return post("save_weights_for_sampler", **ids, seq_id=2 * STEPS + 1, path="s")["path"]


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


def _check_tools(told: dict[str, object]) -> None:
    arguments = {"city": "Paris"}
    called = ["tool_calls", None, [["weather", arguments]]]
    assert told["called"] == told["call_streamed"] == called
    assert told["had_to_call"] == [called, called]
    assert told["call_deltas"] == [[0, "weather", ""], [0, None, json.dumps(arguments)]]
    assert told["not_called"] == [None, "length"]
    assert told["cut_call"] == ["length"]
    with_result, without = cast("list[int]", told["after_call"])
    assert with_result > without


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
        ("wrong_tool", ["BadRequestError", 400, kind], "tools[0].function.name"),
        ("wrong_bias", ["BadRequestError", 400, kind], "token id 1000000"),
        ("form", ["BadRequestError", 400, kind], "response_format 'json_object' is not there"),
        ("penalty", ["BadRequestError", 400, kind], "frequency_penalty"),
        ("too_hot", ["BadRequestError", 400, kind], "temperature"),
        ("image", ["BadRequestError", 400, kind], "part of type 'image_url'"),
    ):
        answer = cast("list[object]", told[name])
        assert answer[: len(beginning)] == beginning, name
        assert message in str(answer[-1]), name
