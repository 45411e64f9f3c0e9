"""Tokens of the user's own choice, and drawn ones, in the places of a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import TinkerUser

PROMPT = [5, 6, 7, 8]


def _open(user: TinkerUser) -> str:
    body = {"session_id": user.session, "sampling_session_seq_id": 0, "base_model": "tiny"}
    return str(user.post("create_sampling_session", **body).json()["sampling_session_id"])


def _sample(
    anna: TinkerUser,
    sampler: str,
    number: int,
    settings: Mapping[str, object] | None = None,
    **more: object,
) -> dict[str, object]:
    body = {"sampling_session_id": sampler, "seq_id": number, "num_samples": 2, **more}
    prompt = {"chunks": [{"tokens": PROMPT}]}
    settings = settings or {"max_tokens": 1}
    asked = anna.post("asample", **body, prompt=prompt, sampling_params=settings)
    return anna.result(asked.raise_for_status().json()["request_id"])


def _targets(answer: dict[str, object]) -> list[float | None]:
    found = cast("dict[str, object]", answer["target_prompt_logprobs"])
    assert (found["dtype"], found["shape"]) == ("float32", [3, 2])
    return cast("list[float | None]", found["data"])


def test_each_has_the_score_that_the_model_gives_it(live: LiveService, anna: TinkerUser) -> None:
    sampler = _open(anna)
    known = _sample(anna, sampler, 1, prompt_logprobs=True, topk_prompt_logprobs=1)
    own = cast("list[float]", known["prompt_logprobs"])[1:]
    tops = cast("list[list[tuple[int, float]]]", known["topk_prompt_logprobs"])[1:]
    # The prompt's own tokens, and the likeliest but in the second place.
    cells = [[token, row[0][0]] for token, row in zip(PROMPT[1:], tops, strict=True)]
    cells[1][1] = -1
    flat = [token for row in cells for token in row]
    dense = {"data": flat, "dtype": "int64", "shape": [3, 2]}
    found = _targets(_sample(anna, sampler, 2, target_prompt_logprobs=dense))
    assert found[::2] == pytest.approx(own)
    assert found[3] is None
    assert [found[1], found[5]] == pytest.approx([tops[0][0][1], tops[2][0][1]])
    sparse = {
        "data": [cells[0][1], cells[2][0]],
        "dtype": "int64",
        "shape": [3, 2],
        "sparse_crow_indices": [0, 1, 1, 2],
        "sparse_col_indices": [1, 0],
    }
    thin = _targets(_sample(anna, sampler, 3, target_prompt_logprobs=sparse))
    assert thin == [None, found[1], None, None, found[4], None]


def _drawn(answer: dict[str, object], count: int) -> tuple[list[list[int]], list[float]]:
    found = cast("dict[str, dict[str, object]]", answer["prompt_alt_tokens"])
    assert [found[name]["shape"] for name in ("tokens", "logprobs")] == [[3, count]] * 2
    assert [found[name]["dtype"] for name in ("tokens", "logprobs")] == ["int64", "float32"]
    flat = cast("list[int]", found["tokens"]["data"])
    rows = [flat[first : first + count] for first in range(0, 3 * count, count)]
    return rows, cast("list[float]", found["logprobs"]["data"])


def test_alternatives_are_drawn_as_likely_as_they_are(anna: TinkerUser) -> None:
    sampler, count = _open(anna), 64
    settings = {"max_tokens": 3, "seed": 7}
    answer = _sample(anna, sampler, 1, settings, prompt_alt_tokens_k=count)
    rows, logprobs = _drawn(answer, count)
    again = _sample(anna, sampler, 2, settings, prompt_alt_tokens_k=count)
    assert again["prompt_alt_tokens"] == answer["prompt_alt_tokens"]
    other = _sample(anna, sampler, 3, {**settings, "seed": 8}, prompt_alt_tokens_k=count)
    assert other["prompt_alt_tokens"] != answer["prompt_alt_tokens"]
    # The answer does not hang on whether there are any.
    assert _sample(anna, sampler, 4, settings)["sequences"] == answer["sequences"]
    assert all(len(set(row)) > 1 for row in rows)
    dense = {
        "data": [token for row in rows for token in row],
        "dtype": "int64",
        "shape": [3, count],
    }
    scored = _sample(anna, sampler, 5, target_prompt_logprobs=dense)
    known = cast("dict[str, list[float]]", scored["target_prompt_logprobs"])["data"]
    assert logprobs == pytest.approx(known, abs=1e-5)
    greedy = {"max_tokens": 1, "temperature": 0.0}
    likeliest = _sample(anna, sampler, 6, greedy, prompt_alt_tokens_k=2, topk_prompt_logprobs=1)
    tops = cast("list[list[tuple[int, float]]]", likeliest["topk_prompt_logprobs"])[1:]
    assert _drawn(likeliest, 2)[0] == [[row[0][0]] * 2 for row in tops]


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        ({"data": [1, 2], "dtype": "int64", "shape": [2, 1]}, "it is [3, 1 to 64]"),
        ({"data": [1, 2, 3], "dtype": "int64"}, "target_prompt_logprobs has shape [3]"),
    ],
)
def test_another_shape_is_refused(anna: TinkerUser, tensor: dict[str, object], told: str) -> None:
    body = {"sampling_session_id": _open(anna), "prompt": {"chunks": [{"tokens": PROMPT}]}}
    answer = anna.post("asample", **body, target_prompt_logprobs=tensor)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_a_token_that_there_is_none_of_fails_its_request(anna: TinkerUser) -> None:
    wrong = {"data": [1, 2, 10**6], "dtype": "int64", "shape": [3, 1]}
    answer = _sample(anna, _open(anna), 1, target_prompt_logprobs=wrong)
    assert answer["category"] == "user"
    assert "A token to score has id 1000000" in str(answer["error"])
