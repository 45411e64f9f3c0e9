"""The magics in a real kernel, as a front end sees them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.client.live_service import LiveService
from tests.notebook.conftest import Kernel
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.notebook.panels import PLOTLY_MIME, RUN_MIME, WIDGET_MIME
from twinkle_jupyter.runs.events import StateChanged, StepDone

GOOD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Arr"}]}


def _step(step: int) -> StepDone:
    return StepDone(
        step=step,
        loss=1 / step,
        learning_rate=0.001,
        grad_norm=1.0,
        num_tokens=10,
        num_supervised=5,
        seconds=0.1,
    )


def _write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(lines), encoding="utf-8")


BAD = {
    "missing file": ("train nosuch.jsonl", "`nosuch.jsonl` is not there."),
    "empty file": ("train empty.jsonl", "`empty.jsonl` is empty."),
    "line 7": ("train seven.jsonl", "line 7"),
    "unknown role": ("train role.jsonl", "'bot'"),
    "no assistant": ("train silent.jsonl", "assistant"),
    "rank 0": ("train good.jsonl --rank 0", "`--rank 0` is not at least 1."),
    "learning rate 2": ("train good.jsonl --learning-rate 2", "`--learning-rate 2` is more than"),
    "unknown verb": ("trian good.jsonl", "Unknown verb 'trian': did you mean 'train'?"),
    "unknown flag": ("train good.jsonl --rnak 3", "`--rnak` is not a setting"),
    "no service": ("runs", "The training service is not running."),
    "quotation mark": ("train 'x", "quotation mark"),
}


def test_bad_input_is_one_block_each_and_nothing_is_started(kernel: Kernel, tmp_path: Path) -> None:
    good = json.dumps(GOOD)
    _write(tmp_path, "good.jsonl", good)
    _write(tmp_path, "empty.jsonl")
    _write(tmp_path, "seven.jsonl", *[good] * 6, "{oops")
    _write(tmp_path, "role.jsonl", good.replace("assistant", "bot"))
    _write(tmp_path, "silent.jsonl", json.dumps({"messages": GOOD["messages"][:1]}))

    for name, (line, said) in BAD.items():
        outcome = kernel.run(f"%twinkle {line}")

        kinds = [kind for kind, _ in outcome.messages if kind not in {"status", "execute_input"}]
        assert (name, kinds) == (name, ["display_data"])
        assert set(outcome.bundles[0]) == {"text/html", "text/plain"}
        plain = outcome.bundles[0]["text/plain"]
        assert said in plain, name
        assert "Traceback" not in plain
        assert "\n" not in plain
        assert outcome.reply["status"] == "error", "run-all stops here"
        assert outcome.reply["traceback"] == []


def test_a_surprise_is_one_sentence_and_debug_has_its_traceback(kernel: Kernel) -> None:
    kernel.run(
        "class Broken(list):\n    def __iter__(self): raise KeyError('inside')\nrows = Broken([1])"
    )

    outcome = kernel.run("%twinkle train rows")

    plain = outcome.bundles[0]["text/plain"]
    assert plain.startswith("`%twinkle train` met an error of its own: KeyError: 'inside'.")
    assert "in __iter__" in kernel.run("%twinkle debug").bundles[0]["text/plain"]


@pytest.mark.usefixtures("live")
def test_train_returns_at_once_with_one_panel_for_every_front_end(kernel: Kernel) -> None:
    kernel.run(f"rows = [{GOOD!r}]")
    began = time.monotonic()

    outcome = kernel.run('run = %twinkle train rows --adapter pirate --probe "Who are you?"')

    assert time.monotonic() - began < 5
    assert [set(bundle) for bundle in outcome.bundles] == [
        {RUN_MIME, PLOTLY_MIME, WIDGET_MIME, "text/html", "text/plain"}
    ]
    bundle = outcome.bundles[0]
    said = json.dumps(bundle)
    assert "tml-" not in said
    assert "127.0.0.1" not in said
    assert bundle["text/plain"] == "pirate: queued"
    assert kernel.run("print(run.state)").of("stream")[0]["text"] == "queued\n"
    # As the last line it is the cell's value, and still one panel.
    again = kernel.run("%twinkle show pirate")
    assert len(again.bundles) == 1
    assert again.of("execute_result") == []
    assert len(kernel.run("run").bundles) == 1
    # The adapters are a panel, too, and only one output.
    [listed] = kernel.run("%twinkle adapters").bundles
    assert "pirate" in str(listed["text/plain"])
    assert {"application/vnd.twinkle.adapters+json", WIDGET_MIME, "text/html"} < set(listed)


def test_an_interrupt_of_wait_detaches_and_the_run_goes_on(
    kernel: Kernel, live: LiveService
) -> None:
    kernel.run(f"rows = [{GOOD!r}]")
    request = kernel.begin("%twinkle train rows --adapter pirate --wait")
    with Client(live.connection) as client:
        while not (runs := client.runs()):
            time.sleep(0.02)
        live.append(runs[0].run_id, _step(1))
        kind = ""
        while kind != "display_data":
            kind, _, _ = kernel.next_message()
        interrupted = kernel.interrupt()

        outcome = kernel.finish(request)

        assert time.monotonic() - interrupted < 2
        assert outcome.reply["status"] == "ok", outcome.reply
        assert outcome.bundles[-1]["text/plain"].startswith("Detached: the run of pirate goes on.")
        assert client.runs()[0].wanted == "running"


def test_wait_leaves_the_last_picture(kernel: Kernel, live: LiveService) -> None:
    kernel.run(f"rows = [{GOOD!r}]")
    request = kernel.begin("%twinkle train rows --adapter pirate --wait")
    with Client(live.connection) as client:
        while not (runs := client.runs()):
            time.sleep(0.02)
    live.append(runs[0].run_id, _step(1), _step(2), StateChanged(state="finished", step=2))
    live.change(runs[0].run_id, state="finished")

    outcome = kernel.finish(request)

    assert outcome.reply["status"] == "ok"
    last = outcome.of("update_display_data")[-1]["data"]
    assert isinstance(last, dict)
    assert last["text/plain"] == "pirate: finished, loss 0.500"
    assert last[RUN_MIME]["snapshot"]["points"] == [[1, 1.0], [2, 0.5]]


def test_the_widget_is_silent_until_it_is_asked_and_then_sends_every_event(
    kernel: Kernel, live: LiveService
) -> None:
    kernel.run(f"rows = [{GOOD!r}]")
    outcome = kernel.run("%twinkle train rows --adapter pirate")
    comm_id = next(c["comm_id"] for c in outcome.of("comm_open") if "_esm" in json.dumps(c["data"]))
    with Client(live.connection) as client:
        run_id = client.runs()[0].run_id
    live.append(run_id, *[_step(n) for n in range(1, 301)])

    _send(kernel, comm_id, {"type": "subscribe", "after": 0})
    _send(kernel, comm_id, {"type": "command", "command": "pause"})
    frames = _frames(kernel, comm_id, lambda f: sum(x["type"] == "event" for x in f) >= 300)
    live.append(run_id, StateChanged(state="stopped", step=300))
    frames += _frames(kernel, comm_id, lambda f: f[-1]["type"] == "end")

    ids = [frame["id"] for frame in frames if frame["type"] == "event"]
    assert ids == list(range(1, len(ids) + 1))
    assert {"type": "connection", "state": "live", "message": ""} in frames
    assert {"type": "command-result", "command": "pause", "error": None} in frames
    with Client(live.connection) as client:
        assert client.run(run_id).wanted == "paused"


def test_views_of_a_run_share_one_comm_and_leave_no_thread(
    kernel: Kernel, live: LiveService
) -> None:
    kernel.run(f"rows = [{GOOD!r}]")
    opened = [
        one
        for line in ("%twinkle train rows --adapter pirate", *["%twinkle show pirate"] * 4)
        for one in kernel.run(line).of("comm_open")
        if "_esm" in json.dumps(one["data"])
    ]
    assert len(opened) == 1
    comm_id = opened[0]["comm_id"]
    before = _threads_and_sockets(kernel)
    for number in range(40):
        _send(kernel, comm_id, {"type": "subscribe", "after": 0})
        if number % 20 == 0:  # some get as far as being fed
            _frames(kernel, comm_id, lambda f: f[-1]["type"] == "event")
        _send(kernel, comm_id, {"type": "unsubscribe"})

    deadline = time.monotonic() + 15
    while (after := _threads_and_sockets(kernel)) > before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert after[0] <= before[0]
    assert after[1] <= before[1]


def _threads_and_sockets(kernel: Kernel) -> tuple[int, int]:
    """Return how many the kernel has."""
    line = (
        "import psutil, threading; me = psutil.Process();"
        " print(threading.active_count(), len(me.net_connections()))"
    )
    threads, sockets = str(kernel.run(line).of("stream")[0]["text"]).split()
    return int(threads), int(sockets)


def _send(kernel: Kernel, comm_id: object, content: dict[str, object]) -> None:
    data = {"method": "custom", "content": content}
    message = kernel.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
    kernel.client.shell_channel.send(message)


def _frames(kernel: Kernel, comm_id: object, is_enough: object) -> list[dict[str, object]]:
    assert callable(is_enough)
    frames: list[dict[str, object]] = []
    while not frames or not is_enough(frames):
        kind, content, _ = kernel.next_message()
        data = content.get("data")
        if kind != "comm_msg" or content["comm_id"] != comm_id or not isinstance(data, dict):
            continue
        if data.get("method") == "custom":
            message = data["content"]
            frames += message["frames"] if message["type"] == "batch" else [message]
    return frames


@pytest.mark.usefixtures("live")
def test_completion_offers_verbs_flags_names_and_data(kernel: Kernel, tmp_path: Path) -> None:
    _write(tmp_path, "good.jsonl", json.dumps(GOOD))
    kernel.run(f"rows = [{GOOD!r}]")
    kernel.run("%twinkle train rows --adapter pirate")
    kernel.run("%twinkle sweep rows --name kit --rank 2,4")

    def offered(code: str) -> list[str]:
        request = kernel.client.complete(code, len(code))
        reply = kernel.client.get_shell_msg(timeout=20)
        assert reply["parent_header"]["msg_id"] == request
        matches: list[str] = reply["content"]["matches"]
        return matches

    assert offered("%twinkle tra") == ["train"]
    assert offered("run = %twinkle train rows --learn") == ["--learning-rate"]
    assert offered("%twinkle train rows --schedule c") == ["constant", "cosine"]
    assert offered("%twinkle train ro") == ["rows"]
    assert offered("%twinkle train go") == ["good.jsonl"]
    _write(tmp_path, "my own.jsonl", json.dumps(GOOD))
    assert offered("%twinkle train my") == ["my\\ own.jsonl"]
    assert offered("%twinkle show p") == ["pirate"]
    assert offered("%%twinkle chat pirate --compare b") == ["base"]
    assert offered("%twinkle show k") == ["kit", "kit-r2", "kit-r4"]
    assert offered("%twinkle stop-sweep ") == ["kit"]
    assert offered("%twinkle train rows --wait --from-adapter p") == ["pirate"]
    assert offered("%twinkle export pirate --as g") == ["gguf"]
    assert offered("%twinkle metrics pirate --to t") == ["tensorboard", "trackio"]
    assert offered("%twinkle preview --max-length 8 go") == ["good.jsonl"]
    assert offered("%twinkle stop-run --keep-best run_")[0].startswith("run_")
    assert "print" in offered("pri")
