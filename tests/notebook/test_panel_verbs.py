"""Verbs that open panels, as they are typed, with the real service and a real tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from tests.client.live_service import RECORDS, LiveService
from tests.notebook.conftest import Kernel, PlainShell
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, NotFoundError
from twinkle_jupyter.notebook.cell_value import CellValue
from twinkle_jupyter.notebook.chat_panels import CHAT_MIME
from twinkle_jupyter.notebook.functions import Twinkle
from twinkle_jupyter.notebook.panels import WIDGET_MIME
from twinkle_jupyter.notebook.several_runs import RUNS_MIME, runs_bundle
from twinkle_jupyter.notebook.snapshot import snapshot
from twinkle_jupyter.notebook.token_panels import TOKENS_MIME, live_token_bundle
from twinkle_jupyter.runs.events import RunEvent, StateChanged, StepDone
from twinkle_jupyter.store.records import PhaseRow
from twinkle_jupyter.wire.token_views import TokenViewBody

ASKED = {"role": "user", "content": "Hi"}
ROWS = [{"prompt": "Hi", "completion": "Arr <b>☠</b>"}, {"prompt": "Who?", "completion": "Me."}]


@pytest.fixture
def live(tiny_model: Path, tmp_path: Path) -> Iterator[LiveService]:
    with LiveService(tmp_path / "service", model=tiny_model) as service:
        service.call(service.store.put(PhaseRow.KEY, PhaseRow("ready").to_row()))
        yield service


def _steps(count: int) -> list[RunEvent]:
    return [
        StepDone(
            step=step, loss=1 / step, learning_rate=1e-3, grad_norm=1.0, num_tokens=9,
            num_supervised=3, seconds=0.1,
        )
        for step in range(1, count + 1)
    ]  # fmt: skip


def test_rows_are_shown_as_tokens(
    shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.push(rows=ROWS)
    assert shell.run("%twinkle template rows --row 2 --max-length 6") is None
    said = capsys.readouterr().out
    assert said.startswith("Row 2 of 2: ")
    assert "cut at 6" in said
    assert shell.run("%twinkle template") is None
    assert "An example: " in capsys.readouterr().out
    assert isinstance(shell.run("%twinkle template rows --row 3"), InvalidConfigError)
    assert isinstance(shell.run("%twinkle template rows --loss-mask mine"), InvalidConfigError)


def test_a_function_returns_its_panel(
    shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Twinkle()
    shell.push(twinkle=own, rows=ROWS)

    tokens, chat = own.template(ROWS, row=2), own.chat("base")
    versus = own.compare("pirate", "base")

    assert capsys.readouterr().out == ""
    for value, mime in ((tokens, TOKENS_MIME), (chat, CHAT_MIME), (versus, CHAT_MIME)):
        assert isinstance(value, CellValue)
        assert {mime, WIDGET_MIME} <= set(value.bundle())
    assert repr(tokens).startswith("Row 2 of 2: ")
    assert repr(versus).startswith("A chat with pirate, base: ")
    assert shell.run("twinkle.template(rows)") is None
    assert "Row 1 of 2: " in capsys.readouterr().out
    own._service.close()


def test_each_call_has_a_panel_of_its_own(kernel: Kernel, live: LiveService) -> None:
    kernel.run(f"rows = {ROWS!r}\nothers = {ROWS[::-1]!r}")

    outcome = kernel.run(
        "%twinkle template rows\n%twinkle template others\n"
        "for words in ('be brief', 'be kind'):\n"
        "    %twinkle chat base --system '{words}'"
    )

    tokens = [bundle[TOKENS_MIME] for bundle in outcome.bundles if TOKENS_MIME in bundle]
    chats = [bundle[CHAT_MIME] for bundle in outcome.bundles if CHAT_MIME in bundle]
    texts = [one["messages"][0]["content"] for one in cast("list[dict[str, Any]]", tokens)]
    assert texts == ["Hi", "Who?"]
    assert [one["system"] for one in cast("list[dict[str, Any]]", chats)] == ["be brief", "be kind"]


def test_tools_and_reasoning_are_shown_as_a_run_would_learn_them(
    shell: PlainShell, live: LiveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, object]] = []
    view_tokens = Client.view_tokens

    def view(client: Client, body: Mapping[str, object]) -> TokenViewBody:
        asked.append(body)
        return view_tokens(client, body)

    monkeypatch.setattr(Client, "view_tokens", view)
    tool = {"type": "function", "function": {"name": "look"}}
    answer = {"role": "assistant", "content": "<think>Hm.</think>Arr"}
    pair = {"prompt": "Hi", "chosen": "Arr", "rejected": "Me.", "tools": [tool]}
    shell.push(rows=[{"messages": [ASKED, answer], "tools": [tool]}], pairs=[pair])

    assert shell.run("%twinkle template rows --reasoning strip") is None
    assert shell.run("%twinkle template pairs --side rejected") is None
    assert shell.run("%twinkle template") is None

    said = [(body["tools"], body["reasoning"]) for body in asked]
    assert said == [([tool], "strip"), ([tool], "keep"), ([], "keep")]


def test_a_preference_is_shown_side_by_side_and_trained_on_with_its_loss(
    shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [{"prompt": f"Who {n}?", "chosen": "Arr, me!", "rejected": "Me."} for n in range(3)]
    shell.push(pairs=pairs)
    assert shell.run("%twinkle template pairs --row 2 --adapter base") is None
    assert shell.run("%twinkle template pairs --row 2 --side rejected") is None
    chosen, rejected = capsys.readouterr().out.splitlines()
    assert chosen.startswith("Row 2 of 3, chosen: ")
    assert re.search(r"mean log-probability -\d+\.\d\d with the base model$", chosen)
    assert rejected.startswith("Row 2 of 3, rejected: ")
    assert "log-probability" not in rejected
    assert shell.run("%twinkle preview pairs") is None
    assert "preference layout, for `--loss dpo`" in capsys.readouterr().out

    refused = shell.run("%twinkle train pairs")
    assert isinstance(refused, InvalidDataError)
    assert "`--loss dpo`" in refused.hint
    assert isinstance(shell.run("%twinkle train pairs --beta 0.2"), InvalidConfigError)
    line = "run = %twinkle train pairs --adapter liked --loss dpo --beta 0.2"
    assert shell.run(line) is None
    with Client(live.connection) as client:
        config = client.run("liked").config
        assert (config["loss"], config["beta"]) == ("dpo", 0.2)
        run_id = client.run("liked").run_id
        rows = client.records(run_id).decode()
    assert rows.count('"rejected": [{"role": "assistant", "content": "Me."}]') == 3
    grid = "%twinkle sweep pairs --name kinds --loss dpo --beta 0.05,0.2"
    assert isinstance(shell.run(f"{grid} --halving 2"), InvalidConfigError)
    assert shell.run(grid) is None
    assert "kinds-b0.05" in capsys.readouterr().out


def test_a_row_is_drawn_for_every_front_end_and_harmless(live: LiveService) -> None:
    messages = [{"role": "user", "content": "<script>"}, {"role": "assistant", "content": "<b>"}]
    with Client(live.connection) as client:
        view = client.view_tokens({"messages": messages})
        bundle = live_token_bundle(client, "Row 1", {"messages": messages}, view)
    html = cast("str", bundle["text/html"])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html.replace("</span>", "").replace("</i>", "")
    assert {TOKENS_MIME, WIDGET_MIME, "text/plain"} <= set(bundle)


def test_several_runs_share_a_plot(
    shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client(live.connection) as client:
        for adapter in ("one", "two"):
            config = RunConfig(adapter=adapter, base_model="tiny", steps=9)
            run = client.start_run(config, RECORDS)
            live.append(run.run_id, StateChanged(state="running", step=0), *_steps(3))
    assert shell.run("runs = %twinkle show one two one") is None
    assert capsys.readouterr().out.count("running, loss 0.333") == 2
    assert isinstance(shell.run("%twinkle show one three"), NotFoundError)


def test_sixty_four_long_runs_are_kept_small() -> None:
    entries = enumerate((event.to_entry() for event in _steps(2000)), start=1)
    picture = snapshot(entries)
    bundle = runs_bundle([(f"run_{i}", f"<a{i}>", picture) for i in range(64)])
    assert len(json.dumps(bundle[RUNS_MIME])) < 100_000
    assert "<a1>" not in cast("str", bundle["text/html"])


def test_a_chat_names_its_models(
    shell: PlainShell, live: LiveService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run("%twinkle compare pirate@40 --temperature 0.5") is None
    assert "A chat with pirate@40, base" in capsys.readouterr().out
    assert isinstance(shell.run("%twinkle compare a b c d e"), InvalidConfigError)
