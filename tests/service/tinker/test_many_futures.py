"""One long poll for all samples of a session, by a cursor."""

from __future__ import annotations

import time

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import TinkerUser

COPY = 7


def _open(user: TinkerUser) -> str:
    opened = user.post(
        "create_sampling_session",
        session_id=user.session,
        sampling_session_seq_id=0,
        base_model="tiny",
    )
    return str(opened.raise_for_status().json()["sampling_session_id"])


def _ask(user: TinkerUser, sampler: str, number: int, **params: object) -> str:
    prompt = {"chunks": [{"type": "encoded_text", "tokens": params.pop("tokens", [1, 2])}]}
    body = {"sampling_session_id": sampler, "seq_id": number, "prompt": prompt}
    answer = user.post("asample", **body, sampling_params={"max_tokens": 2, **params})
    return str(answer.raise_for_status().json()["request_id"])


def test_samples_are_told_once_they_are_done(live: LiveService, anna: TinkerUser) -> None:
    sampler = _open(anna)
    cursor, told = 0, dict[str, str]()

    def poll(copy: int = 0, **more: object) -> list[str]:
        nonlocal cursor
        target = {"sampling_session_id": sampler, "cloned_sampler_id": copy}
        body = anna.post("retrieve_futures", target=target, prev_cursor=cursor, **more).json()
        cursor = body["cursor"]
        told.update({one["request_id"]: one["state"] for one in body["completions"]})
        return [one["request_id"] for one in body["completions"]]

    good = [_ask(anna, sampler, number) for number in (1, 2)]
    bad = _ask(anna, sampler, 3, tokens=[10**6])
    other = _ask(anna, sampler, COPY * 10**9 + 1)
    while len(told) < 3:
        assert poll()
    assert told == {good[0]: "finished", good[1]: "finished", bad: "failed"}
    # Everything is told: the next poll waits as long as it may, or not at all.
    live.app.state.tinker.futures.hold_s = 0.3
    begun = time.monotonic()
    assert poll() == []
    assert time.monotonic() - begun > 0.25
    live.app.state.tinker.futures.hold_s = 30.0
    begun = time.monotonic()
    assert poll(timeout=0, retrieved_request_ids=[good[0]]) == []
    assert time.monotonic() - begun < 5
    # They are there to be asked for, as often as anybody likes.
    for name in good:
        assert anna.result(name) == anna.result(name)
    cursor = 0
    assert poll(COPY) == [other]


def test_a_poll_wakes_up_when_a_sample_is_done(anna: TinkerUser) -> None:
    sampler = _open(anna)
    name = _ask(anna, sampler, 1, max_tokens=100, stop=[])
    target = {"sampling_session_id": sampler}
    body = anna.post("retrieve_futures", target=target).json()
    assert [one["request_id"] for one in body["completions"]] == [name]


def test_samples_of_another_user_are_not_told(anna: TinkerUser, ben: TinkerUser) -> None:
    target = {"sampling_session_id": _open(anna)}
    assert ben.post("retrieve_futures", target=target).status_code == 404
