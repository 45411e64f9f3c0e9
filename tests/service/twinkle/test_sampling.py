"""What is sampled, from which weights, and where an answer ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.twinkle.conftest import ROW, TwinkleUser

PROMPT = {"input_ids": [5, 6, 7]}
GREEDY: dict[str, Any] = {"max_tokens": 5, "temperature": 0.0}


def _sample(user: TwinkleUser, params: dict[str, Any], **body: object) -> list[dict[str, Any]]:
    answer = user.sampler("sample", inputs=[PROMPT], sampling_params=params, **body)
    assert answer.status_code == 200, answer.text
    sequences: list[dict[str, Any]] = answer.json()["samples"][0]["sequences"]
    return sequences


def test_an_answer_ends_where_it_is_told_to(anna: TwinkleUser) -> None:
    [whole] = _sample(anna, GREEDY)
    assert (len(whole["tokens"]), whole["stop_reason"]) == (5, "length")
    token = whole["tokens"][2]
    first = whole["tokens"].index(token)
    [by_token] = _sample(anna, {**GREEDY, "stop": [token]})
    assert by_token["stop_reason"] == "stop"
    assert by_token["tokens"] == whole["tokens"][: first + 1]
    text = whole["decoded"][-1]
    [by_text] = _sample(anna, {**GREEDY, "stop": text})
    assert by_text["stop_reason"] == "stop"
    assert by_text["decoded"] == whole["decoded"].split(text)[0]


def test_seeds_and_counts_are_honoured_wherever_they_are_said(anna: TwinkleUser) -> None:
    params = {"max_tokens": 4, "seed": 3}
    three = _sample(anna, {**params, "num_samples": 3})
    assert _sample(anna, params, num_samples=3) == three
    assert len({tuple(one["tokens"]) for one in three}) == 3


def test_a_prompt_is_scored_alone(anna: TwinkleUser) -> None:
    anna.add()
    answer = anna.sampler(
        "sample", inputs=[PROMPT], sampling_params={"max_tokens": 0, "prompt_logprobs": 1}
    )
    [sample] = answer.raise_for_status().json()["samples"]
    assert sample["sequences"][0]["tokens"] == []
    row = {**PROMPT, "labels": [6, 7, -100]}
    [theirs] = anna.result("forward_only", inputs=[row], disable_lora=True)["logps"]
    assert [None, *theirs[:2]] == sample["prompt_logprobs"]
    # A new adapter changes nothing yet.
    assert anna.result("forward_only", inputs=[row])["logps"][0] == pytest.approx(theirs, abs=1e-4)


def test_what_was_saved_answers_under_its_path_everywhere(anna: TwinkleUser) -> None:
    anna.add()
    anna.do("set_optimizer", optimizer_cls="AdamW", lr=0.05)
    for _ in range(3):
        anna.result("forward_backward", inputs=[ROW])
        anna.do("clip_grad_and_step")
    paths = [
        anna.model("save", is_sampler=True).raise_for_status().json()["twinkle_path"]
        for _ in range(3)
    ]
    newest = paths[-1].rpartition("/")[0] + "/latest"
    answers = [_sample(anna, GREEDY, adapter_uri=path) for path in (*paths[1:], newest)]
    assert answers[0] == answers[1] == answers[2] == _sample(anna, GREEDY, adapter_name="a")
    assert answers[0] != _sample(anna, GREEDY)
    # Two are kept: somebody may be reading the one before.
    assert anna.sampler("sample", inputs=[PROMPT], adapter_uri=paths[0]).status_code == 404
    body = {"model": paths[-1], "prompt": PROMPT["input_ids"], "max_tokens": 5, "temperature": 0}
    completion = anna.http.post("/v1/completions", json=body)
    assert completion.status_code == 200, completion.text
    assert completion.json()["choices"][0]["text"] == answers[0][0]["decoded"]


@pytest.mark.parametrize(
    ("route", "body", "told"),
    [
        ("sample", {"sampling_params": {"temperature": -1}}, "temperature"),
        ("sample", {"sampling_params": {"top_q": 1}}, "top_q"),
        ("sample", {"inputs": []}, "inputs is empty"),
        ("sample", {"inputs": [{"input_ids": [10**6]}]}, "1000000"),
        ("sample", {"inputs": [{"messages": [{"role": "user", "content": 3}]}]}, "of them text"),
        ("sample", {"adapter_uri": "/etc/passwd"}, "nothing is loaded from folders"),
        ("sample_stream", {"inputs": [PROMPT, PROMPT]}, "one input once"),
        ("set_template", {"template_cls": "Other"}, "is not one of Template"),
        ("add_adapter_to_sampler", {"adapter_name": "a"}, "Pass adapter_uri"),
        ("apply_patch", {"patch_cls": "P", "adapter_name": None}, "is not applied"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(
    anna: TwinkleUser, route: str, body: dict[str, Any], told: str
) -> None:
    answer = anna.sampler(route, **{"inputs": [PROMPT], **body})
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["detail"]
