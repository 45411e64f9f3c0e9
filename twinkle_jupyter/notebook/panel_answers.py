"""What a panel's questions mean: tokens, adapters, answers, exports, preferences to keep."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.notebook.ask_feed import Answer, Message

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client

PREFERENCES_FILE = "preferences.jsonl"
_SETTINGS = ("max_tokens", "temperature", "top_p", "seed")
#: Panels are answered by threads, and the file is written whole where a row goes.
_keeping = threading.Lock()


def panel_answers(client: Client) -> dict[str, Answer]:
    """Return what answers each question of the panels that ask."""

    def tokens(body: Message) -> Message:
        return client.view_tokens(body).model_dump(mode="json")

    def adapters(_: Message) -> Message:
        return {"adapters": [{"name": adapter.name} for adapter in client.adapters()]}

    def list_adapters(_: Message) -> Message:
        found = client.adapters(details=True)
        return {"adapters": [adapter.model_dump(mode="json") for adapter in found]}

    def samples(body: Message) -> Generator[str, None, Message]:
        messages = cast("Sequence[Mapping[str, str]]", body["messages"])
        settings = {name: cast("float", body[name]) for name in _SETTINGS if name in body}
        end: Message = {}
        for part in client.sample(str(body["model"]), messages, **settings):
            if part.finish_reason is None:
                yield part.text
            else:
                end = {
                    "finish_reason": part.finish_reason,
                    "num_tokens": part.num_tokens,
                    "version": part.version,
                }
        return end

    return {
        "tokens": tokens,
        "adapters": adapters,
        "list-adapters": list_adapters,
        "samples": samples,
        "keep": keep,
        **export_answers(client),
        **sweep_answers(client),
    }


def sweep_answers(client: Client) -> dict[str, Answer]:
    """Return what answers each question of a sweep: how it is, cut it, steer a member."""

    def sweep(body: Message) -> Message:
        return client.sweep_body(str(body["sweep_id"]), points=True).model_dump(mode="json")

    def command(body: Message) -> Message:
        name, given = str(body["sweep_id"]), cast("Mapping[str, object]", body["body"])
        if body["action"] == "prune":
            client.prune_sweep(name, cast("Sequence[str]", given["members"]))
        elif body["action"] == "extend":
            client.extend_sweep(name, cast("Mapping[str, Sequence[object]]", given["grid"]))
        else:
            client.stop_sweep(name)
        return {}

    def steer(body: Message) -> Message:
        act = client.resume if body["action"] == "resume" else client.pause
        act(str(body["run_id"]))
        return {}

    return {"sweep": sweep, "sweep-command": command, "run-command": steer}


def export_answers(client: Client) -> dict[str, Answer]:
    """Return what answers each question of an export: begin, how far, end."""
    from twinkle_jupyter.client import exports

    def begin(body: Message) -> Message:
        wanted = exports.StartExportBody.model_validate(body["wanted"])
        started = exports.start_export(client.connection, str(body["name"]), wanted)
        return started.model_dump(mode="json")

    def state(body: Message) -> Message:
        found = exports.get_export(client.connection, str(body["export_id"]))
        return found.model_dump(mode="json")

    def cancel(body: Message) -> Message:
        found = exports.cancel_export(client.connection, str(body["export_id"]))
        return found.model_dump(mode="json")

    return {"export": begin, "export-state": state, "export-cancel": cancel}


def keep(body: Message) -> Message:
    """Append preferences to a file in the kernel's folder, without those that are taken back.

    Raises:
        InvalidDataError: They are none, or the file cannot be written.
    """
    rows, taken_back = _preferences(body.get("rows")), _preferences(body.get("taken_back", []))
    path = Path(PREFERENCES_FILE)
    try:
        with _keeping:
            if taken_back and path.exists():
                _take_back(path, taken_back)
            if rows:
                _append(path, rows)
    except OSError as error:
        raise InvalidDataError(
            f"{PREFERENCES_FILE} cannot be written: {error.strerror}.",
            "Change to a folder of your own.",
        ) from error
    return {"path": PREFERENCES_FILE}


def _preferences(rows: object) -> list[object]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidDataError("There is no preference to keep.")
    return rows


def _append(path: Path, rows: Sequence[object]) -> None:
    """Add a line for each, behind a last line that may have been left without an end."""
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n".encode() for row in rows)


def _take_back(path: Path, rows: Sequence[object]) -> None:
    """Remove the newest line of each of these rows; all others stay, byte for byte."""
    lines = path.read_bytes().splitlines(keepends=True)
    for row in rows:
        places = [place for place, line in enumerate(lines) if _row_of(line) == row]
        if places:
            del lines[places[-1]]
    file = path.resolve()  # A link stays one: what it leads to is replaced.
    draft = file.with_name(f".{file.name}.{uuid4().hex[:12]}.part")
    try:
        draft.write_bytes(b"".join(lines))
        draft.chmod(file.stat().st_mode & 0o7777)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _row_of(line: bytes) -> object:
    """Return what a line of the file says; None where it says nothing."""
    try:
        row: object = json.loads(line)
    except ValueError:
        return None
    return row
