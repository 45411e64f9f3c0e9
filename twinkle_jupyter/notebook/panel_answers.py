"""What a panel's questions mean: tokens, adapters, answers, exports, preferences to keep."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.notebook.ask_feed import Answer, Message

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client

PREFERENCES_FILE = "preferences.jsonl"
_SETTINGS = ("max_tokens", "temperature", "top_p", "seed")


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
    """Append preferences to a file in the kernel's folder.

    Raises:
        InvalidDataError: They are none, or the file cannot be written.
    """
    rows = body.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidDataError("There is no preference to keep.")
    try:
        with Path(PREFERENCES_FILE).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise InvalidDataError(
            f"{PREFERENCES_FILE} cannot be written: {error.strerror}.",
            "Change to a folder of your own.",
        ) from error
    return {"path": PREFERENCES_FILE}
