"""The verbs as functions of a program: the same names, flags, help and mistakes as the magic's."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pandas as pd
import pytest

import twinkle_jupyter
from tests.client.live_service import LiveService
from tests.notebook.conftest import Kernel
from twinkle_jupyter import twinkle
from twinkle_jupyter.client.adapter import Adapter
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.notebook.functions import Twinkle
from twinkle_jupyter.notebook.run_handle import RunHandle
from twinkle_jupyter.notebook.verbs import VERBS

ROWS = [{"prompt": "Hi", "completion": "Arr"}]


@pytest.fixture
def own(live: LiveService) -> Iterator[Twinkle]:
    """Functions with a client of their own, for the live service."""
    functions = Twinkle()
    yield functions
    functions._service.close()


def test_every_verb_is_a_function_with_its_flags_and_its_help() -> None:
    named = {verb.replace("-", "_") for verb in VERBS} - {"debug", "help"}
    assert set(dir(twinkle)) == {"import_" if name == "import" else name for name in named}
    for name in dir(twinkle):
        function = getattr(twinkle, name)
        verb = VERBS[name.rstrip("_").replace("_", "-")]
        flags = {flag.lstrip("-") for flag in verb.parser().flags()} - {"help"}
        keywords = {
            one.name.rstrip("_").replace("_", "-")
            for one in inspect.signature(function).parameters.values()
            if one.kind is one.KEYWORD_ONLY
        }
        assert keywords == flags
        assert f"{verb.summary[1:]}." in (function.__doc__ or "")
    assert twinkle_jupyter.twinkle is twinkle
    with pytest.raises(AttributeError, match="did you mean 'train'"):
        _ = twinkle.trian


@pytest.mark.parametrize(
    ("name", "arguments", "settings", "said"),
    [
        ("train", (ROWS,), {"rnak": 4}, "`--rnak` is not a setting of `twinkle train`: did you"),
        ("train", (ROWS,), {"rank": 0, "learning_rate": -1.0}, "`--rank 0` is not at least 1. `--"),
        ("chat", (), {}, "`twinkle.chat`: missing a required argument: 'model'."),
        ("export", ("a", "b"), {"as_": "zip"}, "`twinkle export`: argument --as: invalid choice"),
    ],
)
def test_a_mistake_is_the_same_sentence(
    name: str, arguments: tuple[object, ...], settings: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        getattr(twinkle, name)(*arguments, **settings)

    assert str(caught.value).startswith(said)


def test_functions_return_objects_and_print_nothing(
    own: Twinkle, live: LiveService, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "my rows.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)))

    run = own.train(pd.DataFrame(ROWS), adapter="pirate", rank=4, probe=["Who?", "-x y"])
    other = own.train(file, adapter="other")
    sweep = own.sweep(ROWS, name="kit", learning_rate=[1e-3, 1e-4], rank=2)

    assert isinstance(run, RunHandle)
    assert isinstance(other, RunHandle)
    body = run.client.run("pirate")
    assert (body.config["rank"], body.config["probe"]) == (4, ["Who?", "-x y"])
    assert [one.adapter for one in own.runs()][-2:] == ["other", "pirate"]  # type: ignore[attr-defined]
    assert len(sweep.body().members) == 2  # type: ignore[attr-defined]
    own.set("pirate", learning_rate=1e-4)
    assert run.client.run("pirate").settings["learning_rate"] == 1e-4
    assert own.pause("pirate").run_id == run.run_id  # type: ignore[attr-defined]
    assert isinstance(own.adapters()[0], Adapter)  # type: ignore[index]
    assert "pirate" in repr(own.tree())
    assert list(own.metrics("pirate")) == []  # type: ignore[call-overload]
    with pytest.raises(InvalidDataError, match="`nosuch` is not there"):
        own.train("nosuch")
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("live")
def test_a_value_shows_itself_once_and_is_a_list_of_objects(kernel: Kernel) -> None:
    kernel.run("from twinkle_jupyter import twinkle")
    train = kernel.run(f"run = twinkle.train({ROWS!r}, adapter='pirate')")
    assert train.bundles == []
    assert len(kernel.run("run").bundles) == 1

    said = kernel.run("found = %twinkle runs")
    assert len(said.bundles) == 1
    last = kernel.run("%twinkle runs")
    assert (len(last.bundles), last.of("execute_result")) == (1, [])
    assert "pirate" in kernel.run("found").bundles[0]["text/html"]
    assert kernel.run("print(found[0].state)").of("stream")[0]["text"] == "queued\n"
    paused = kernel.run("%twinkle pause pirate")
    assert [bundle["text/plain"][:12] for bundle in paused.bundles] == ["pirate rests"]
    shown = kernel.run("twinkle.adapters()[0]").of("execute_result")[0]["data"]
    assert "rank" in cast("dict[str, str]", shown)["text/html"]
    assert "The same as `%twinkle train`" in _page(kernel, "twinkle.train?")
    assert "Steering" in _page(kernel, "%twinkle?")


def test_an_interrupt_of_await_ends_the_waiting_at_once(kernel: Kernel, live: LiveService) -> None:
    kernel.run("from twinkle_jupyter import twinkle")
    kernel.run(f"run = twinkle.train({ROWS!r}, adapter='pirate')")
    request = kernel.begin("await run")
    # The one request that is being answered is that for the run's events, which never ends.
    deadline = time.monotonic() + 20
    while not live.num_requests:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    interrupted = kernel.interrupt()

    outcome = kernel.finish(request)

    assert time.monotonic() - interrupted < 2
    assert outcome.reply["status"] == "error"
    with Client(live.connection) as client:
        assert client.run("pirate").wanted == "running"


def _page(kernel: Kernel, line: str) -> str:
    """Return what `?` shows in the pager."""
    payload = cast("list[dict[str, dict[str, str]]]", kernel.run(line).reply["payload"])
    return payload[0]["data"]["text/plain"]
