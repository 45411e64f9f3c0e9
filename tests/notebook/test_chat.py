"""Answers in a cell, from the true engine on the tiny model."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.client.live_service import LiveService
from tests.notebook.conftest import Kernel, PlainShell
from twinkle_jupyter.client.answers import AnswerPart
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.store.records import PhaseRow


@pytest.fixture
def live(tmp_path: Path, tiny_model: Path) -> Iterator[LiveService]:
    with LiveService(tmp_path / "service", tiny_model) as service:
        service.call(service.store.put(PhaseRow.KEY, PhaseRow("ready").to_row()))
        yield service


@pytest.mark.usefixtures("live")
def test_an_answer_grows_in_one_output_and_stays(kernel: Kernel) -> None:
    outcome = kernel.run("%%twinkle chat base --max-tokens 12\nHi")

    assert outcome.reply["status"] == "ok"
    assert len(outcome.bundles) == 1
    last = outcome.of("update_display_data")[-1]["data"]
    assert isinstance(last, dict)
    assert "base model, " in last["text/html"]
    assert last["text/plain"]


@pytest.mark.usefixtures("live")
def test_two_models_answer_side_by_side(kernel: Kernel) -> None:
    outcome = kernel.run("%%twinkle chat base --compare base --max-tokens 12\nHi")

    last = outcome.of("update_display_data")[-1]["data"]
    assert isinstance(last, dict)
    first, second = (
        last["text/plain"].split("\n\n", 1) if "\n\n" in last["text/plain"] else ("", "")
    )
    assert last["text/html"].count("base model, ") == 2
    assert "repeat(2," in last["text/html"]
    assert first.startswith("base: ")
    assert second


@pytest.mark.usefixtures("live")
def test_several_answers_differ_and_come_again_for_the_same_seed(kernel: Kernel) -> None:
    def sample() -> list[str]:
        cell = "%%twinkle sample --n 4 --seed 7 --max-tokens 12\nHi"
        last = kernel.run(cell).of("update_display_data")[-1]["data"]
        assert isinstance(last, dict)
        return str(last["text/plain"]).split("\n\nbase, seed ")

    answers = sample()
    assert len(answers) == 4
    assert answers[0].startswith("base, seed 7: ")
    assert len({answer.partition(": ")[2] for answer in answers}) == 4
    assert sample() == answers


def test_a_base_model_that_is_being_loaded_is_waited_for(live: LiveService, kernel: Kernel) -> None:
    loaded, live.compute = live.compute, None

    request = kernel.begin("%%twinkle chat base --max-tokens 12\nHi")
    content: object = None
    while "It is still being loaded" not in str(content):
        _, content, _ = kernel.next_message()
    live.compute = loaded
    outcome = kernel.finish(request)

    assert outcome.reply["status"] == "ok"
    last = outcome.of("update_display_data")[-1]["data"]
    assert isinstance(last, dict)
    assert "base model, " in last["text/html"]


@pytest.mark.usefixtures("live")
def test_an_interrupt_ends_the_answer_and_keeps_what_came(kernel: Kernel) -> None:
    request = kernel.begin("%%twinkle chat base --max-tokens 30000 --temperature 5\nHi")
    kind, content = "", ""
    # Not the note of what is being waited for, which a slow machine shows first.
    while kind != "update_display_data" or "<strong>base</strong>" not in content:
        kind, fields, _ = kernel.next_message()
        content = str(fields)
    kernel.interrupt()

    outcome = kernel.finish(request)

    assert outcome.reply["status"] == "ok"
    last = outcome.of("update_display_data")[-1]["data"]
    assert isinstance(last, dict)
    assert "interrupted" in last["text/html"]
    assert len(last["text/plain"]) > 0


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%twinkle chat nobody\nHi", "There is no adapter 'nobody'"),
        ("%%twinkle chat base --max-tokens x --top-p y\nHi", "`--max-tokens x` is not a whole"),
        ("%%twinkle sample --n 99\nHi", "`--n 99` is not a whole number from 1 to 16."),
        ("%twinkle chat base Hi --max-tokens 0", "`--max-tokens 0` is not between 1 and 32768."),
        ("%%twinkle chat base --temperature -1\nHi", "temperature"),
    ],
)
def test_a_bad_question_is_one_sentence(
    shell: PlainShell, capsys: pytest.CaptureFixture[str], cell: str, said: str
) -> None:
    shell.run(cell)

    out = capsys.readouterr().out
    assert said in out
    assert "Traceback" not in out


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("cell", "asked"),
    [
        ("%%twinkle chat base\nHi\n", "Hi"),
        ("%%twinkle chat base Say in French:\nHi\n", "Say in French:\nHi"),
        ("%%twinkle sample base Say: --n 1 -\nHi\n", "Say:\nHi"),
        ("%twinkle chat base 5 -", "5 -"),
    ],
)
def test_a_question_is_the_line_and_the_body(
    shell: PlainShell, monkeypatch: pytest.MonkeyPatch, cell: str, asked: str
) -> None:
    questions: list[str] = []

    def sample(
        _: Client, __: str, messages: Sequence[Mapping[str, str]], **settings: float
    ) -> Iterator[AnswerPart]:
        del settings
        questions.extend(message["content"] for message in messages)
        yield AnswerPart("", None, "stop", 1, 1)

    monkeypatch.setattr(Client, "sample", sample)

    shell.run(cell)

    assert questions == [asked]


@pytest.mark.usefixtures("live")
def test_no_thread_is_left_behind(shell: PlainShell) -> None:
    shell.run("%%twinkle chat base --compare base --max-tokens 4\nHi")

    left = [t for t in threading.enumerate() if t.name.startswith("twinkle-chat")]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
