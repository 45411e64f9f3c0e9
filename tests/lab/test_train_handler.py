"""A run on a file of the Jupyter server, and on no file that Jupyter would not show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp

from tests.lab.test_handlers import Fetch, Until

CONFIG = {"adapter": "pirate", "rank": 4}
#: With the base model that the service has.
FULL = {"base_model": "small-model", **CONFIG}
ROW = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Arr ☠"}]}

#: Of another kind, for another loss.
PAIR = '{"prompt": "Hi", "chosen": "Arr", "rejected": "No"}'


async def _train(jp_fetch: Fetch, path: str, **settings: str) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"path": path, "config": CONFIG | settings})
    answer = await jp_fetch("twinkle-jupyter", "train", method="POST", body=body, raise_error=False)
    said = json.loads(answer.body)
    return answer.code, said.get("error", said)


async def _start(jp_fetch: Fetch, jp_serverapp: ServerApp, until: Until) -> None:
    await jp_fetch("twinkle-jupyter", "service", "start", method="POST", body="")
    process = jp_serverapp.web_app.settings["twinkle_process"]
    await until(lambda: process.phase == "ready")


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_the_rows_of_a_file_arrive_as_records(
    jp_fetch: Fetch, jp_serverapp: ServerApp, jp_root_dir: Path, until: Until, ending: str
) -> None:
    await _start(jp_fetch, jp_serverapp, until)
    folder = jp_root_dir / "data sets"
    folder.mkdir()
    lines = {
        "jsonl": "".join(f"{json.dumps(ROW)}\n" for _ in range(600)),
        "csv": "prompt,completion\n" + "Hi,Arr ☠\n" * 600,
    }
    (folder / f"rows.{ending}").write_text(lines[ending], encoding="utf-8")

    status, body = await _train(jp_fetch, f"data sets/rows.{ending}")

    sent = json.loads(body["body"])
    assert (status, body["path"], sent["config"]) == (201, "/api/v1/runs", FULL)
    assert sent["records"] == [ROW] * 600


async def test_pairs_of_answers_arrive_where_the_loss_wants_them(
    jp_fetch: Fetch, jp_serverapp: ServerApp, jp_root_dir: Path, until: Until
) -> None:
    await _start(jp_fetch, jp_serverapp, until)
    (jp_root_dir / "pairs.jsonl").write_text(f"{PAIR}\n", encoding="utf-8")

    status, body = await _train(jp_fetch, "pairs.jsonl", loss="dpo")

    sent = json.loads(body["body"])
    assert (status, sent["config"]) == (201, FULL | {"loss": "dpo"})
    [record] = sent["records"]
    assert [record[side][0]["content"] for side in ("prompt", "chosen", "rejected")] == [
        "Hi",
        "Arr",
        "No",
    ]


@pytest.mark.parametrize("bad", ["{}", PAIR])
async def test_a_bad_row_is_named_before_anything_is_sent(
    jp_fetch: Fetch, jp_root_dir: Path, bad: str
) -> None:
    (jp_root_dir / "bad.jsonl").write_text(f"{json.dumps(ROW)}\n{bad}\n", encoding="utf-8")

    status, error = await _train(jp_fetch, "bad.jsonl")

    assert (status, error["code"]) == (422, "invalid_data")
    assert "line 2" in error["message"]


@pytest.mark.parametrize("body", ["[1]", "null", '"a"', "{}"])
async def test_a_body_that_is_no_request_is_told_so(jp_fetch: Fetch, body: str) -> None:
    answer = await jp_fetch("twinkle-jupyter", "train", method="POST", body=body, raise_error=False)
    assert (answer.code, json.loads(answer.body)["error"]["code"]) == (422, "invalid_config")


@pytest.mark.parametrize(
    "path", ["../outside.jsonl", "/../outside.jsonl", "a/../../outside.jsonl", ".hidden.jsonl",
             "nothing.jsonl", "", "a\0b"],
)  # fmt: skip
async def test_what_jupyter_does_not_show_is_not_there(
    jp_fetch: Fetch, jp_root_dir: Path, path: str
) -> None:
    for place in (jp_root_dir.parent / "outside.jsonl", jp_root_dir / ".hidden.jsonl"):
        place.write_text(f"{json.dumps(ROW)}\n", encoding="utf-8")

    status, error = await _train(jp_fetch, path)

    assert status == (404 if path else 422), error
    assert "Arr" not in error["message"]
