"""Answers that were asked for before their client came: each once, and no other than without."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.client.live_service import LiveService
from tests.journeys.conftest import wait_until
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.handles import OpAnswer
from twinkle_jupyter.runtime.train_loop import TrainLoop
from twinkle_jupyter.service.tinker import coming_outcomes

_READERS = 12


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sequence ids that the trainer was asked about."""
    seen: list[int] = []
    outcome = TrainLoop.outcome

    async def counted(self: TrainLoop, adapter_id: AdapterId, sequence_id: int) -> OpAnswer:
        seen.append(sequence_id)
        return await outcome(self, adapter_id, sequence_id)

    monkeypatch.setattr(TrainLoop, "outcome", counted)
    return seen


def test_all_who_wait_share_one_question(
    live: LiveService, anna: TinkerUser, asked: list[int]
) -> None:
    model = anna.create_model()
    step = anna.optim_step(model, 2).json()["request_id"]
    with ThreadPoolExecutor(_READERS) as threads:
        results = [threads.submit(anna.result, step) for _ in range(_READERS)]
        wait_until(lambda: live.num_requests == _READERS, 20, "all who ask")
        first = anna.forward_backward(model, 1).json()["request_id"]
        answers = [one.result(30) for one in results]
    assert all(answer == answers[0] for answer in answers)
    assert "metrics" in anna.result(first)
    assert asked.count(2) == 1
    # Who comes when it is over asks the trainer, which has it.
    assert anna.result(step) == answers[0]
    assert asked.count(2) == 2
    assert not live.app.state.tinker.coming._asked


def test_who_never_comes_is_forgotten(
    live: LiveService, anna: TinkerUser, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming_outcomes, "_MAX_KEPT", 2)
    monkeypatch.setattr(coming_outcomes, "_KEPT_S", 0.2)
    model = anna.create_model()
    names = [anna.optim_step(model, number).json()["request_id"] for number in (5, 4, 3, 2)]
    waiting = live.app.state.tinker.coming._asked
    assert [number for _, number in waiting] == [3, 2]
    anna.forward_backward(model, 1)
    # Those who were let go before they were answered are asked about when somebody comes.
    assert [anna.result(name)["metrics"] for name in names[:2]]
    assert {5, 4} <= set(asked)
    wait_until(lambda: not waiting, 10, "forgetting them")


def test_a_failure_is_told_as_often_as_it_is_asked_for(anna: TinkerUser) -> None:
    model = anna.create_model()
    name = anna.forward_backward(model, 1, loss="gspo").json()["request_id"]
    failures = [anna.result(name) for _ in range(3)]
    assert "loss_fn='gspo'" in str(failures[0]["error"])
    assert failures == [failures[0]] * 3


def test_whoever_waits_is_answered_though_their_question_had_to_go(
    live: LiveService, anna: TinkerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming_outcomes, "_MAX_KEPT", 2)
    model = anna.create_model()
    first = anna.optim_step(model, 2).json()["request_id"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(anna.result, first)
        wait_until(lambda: live.num_requests == 1, 20, "who asks")
        for number in (3, 4, 5):
            anna.optim_step(model, number).raise_for_status()
        assert (model, 2) not in live.app.state.tinker.coming._asked
        anna.forward_backward(model, 1)
        assert "metrics" in waiting.result(30)
