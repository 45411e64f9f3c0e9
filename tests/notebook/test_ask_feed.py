"""Questions of the token ribbon and the chat over a comm, answered by threads."""

from __future__ import annotations

import json
import queue
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from twinkle_jupyter.notebook.ask_feed import Answer, AskFeed
from twinkle_jupyter.notebook.panel_answers import keep

Message = Mapping[str, object]


def _endless(_: Message) -> Generator[str, None, Message]:
    number = 0
    while True:
        yield str(number)
        number += 1


def _short(_: Message) -> Generator[str, None, Message]:
    yield "Arr"
    yield "!"
    return {"num_tokens": 2}


def _broken(_: Message) -> Message:
    raise RuntimeError("the client has been closed")


@pytest.fixture
def sent() -> queue.Queue[Message]:
    return queue.Queue()


@pytest.fixture
def feed(sent: queue.Queue[Message]) -> AskFeed:
    answers: dict[str, Answer] = {
        "samples": _short,
        "endless": _endless,
        "keep": keep,
        "broken": _broken,
    }
    return AskFeed(answers, sent.put)


def _ask(feed: AskFeed, question: str, body: object) -> None:
    feed.take({"type": "ask", "id": "1", "question": question, "body": body})


def test_an_answer_comes_in_parts_and_then_whole(feed: AskFeed, sent: queue.Queue[Message]) -> None:
    _ask(feed, "samples", {})
    assert [sent.get(timeout=5) for _ in range(3)] == [
        {"type": "part", "id": "1", "text": "Arr"},
        {"type": "part", "id": "1", "text": "!"},
        {"type": "reply", "id": "1", "result": {"num_tokens": 2}, "error": None},
    ]


def test_a_cancelled_answer_ends(feed: AskFeed, sent: queue.Queue[Message]) -> None:
    _ask(feed, "endless", {})
    assert sent.get(timeout=5)["text"] == "0"
    feed.take({"type": "cancel", "id": "1"})
    while (said := sent.get(timeout=5))["type"] == "part":
        pass
    assert said["result"] == {"finish_reason": "cancelled"}


@pytest.mark.parametrize(("question", "body"), [("shutdown", {}), ("samples", None)])
def test_an_unknown_question_is_refused(
    feed: AskFeed, sent: queue.Queue[Message], question: str, body: object
) -> None:
    _ask(feed, question, body)
    error = sent.get(timeout=5)["error"]
    assert isinstance(error, Mapping)
    assert error["code"] == "invalid_data"


def test_whatever_goes_wrong_is_told_and_printed_nowhere(
    feed: AskFeed, sent: queue.Queue[Message], capfd: pytest.CaptureFixture[str]
) -> None:
    _ask(feed, "broken", {})
    error = sent.get(timeout=5)["error"]
    assert isinstance(error, Mapping)
    assert error["message"] == "The kernel could not answer: RuntimeError."
    assert capfd.readouterr() == ("", "")


def test_preferences_are_appended_as_lines(
    feed: AskFeed, sent: queue.Queue[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": [], "chosen": ["Arr ☠"], "rejected": ["Hello"]}]
    file = tmp_path / "preferences.jsonl"
    for _ in range(2):
        _ask(feed, "keep", {"rows": rows})
        assert sent.get(timeout=5)["result"] == {"path": "preferences.jsonl"}
        # As an editor may leave it.
        file.write_bytes(file.read_bytes().rstrip(b"\n"))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows * 2


def test_preferences_that_are_taken_back_leave_all_other_lines_as_they_were(
    feed: AskFeed, sent: queue.Queue[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "preferences.jsonl"
    path.write_bytes(b'{"chosen":  "a"}\n# mine \xff\r\n{"chosen":"a"}\n{"chosen": "b"}\n')
    mode = path.stat().st_mode
    _ask(feed, "keep", {"rows": [{"chosen": "c"}], "taken_back": [{"chosen": "a"}, {"gone": 1}]})
    assert sent.get(timeout=5)["result"] == {"path": "preferences.jsonl"}
    assert path.read_bytes() == (
        b'{"chosen":  "a"}\n# mine \xff\r\n{"chosen": "b"}\n{"chosen": "c"}\n'
    )
    assert path.stat().st_mode == mode
    assert [one.name for one in tmp_path.iterdir()] == ["preferences.jsonl"]


def test_nothing_to_take_back_makes_no_file(
    feed: AskFeed, sent: queue.Queue[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _ask(feed, "keep", {"rows": [], "taken_back": [{"chosen": "a"}]})
    assert sent.get(timeout=5)["result"] == {"path": "preferences.jsonl"}
    assert list(tmp_path.iterdir()) == []
