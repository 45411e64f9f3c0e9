"""What a panel's questions mean: rows as tokens, names, answers of models, preferences to keep."""

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
    """Return what answers each question of the token ribbon and the chat."""

    def tokens(body: Message) -> Message:
        return client.view_tokens(body).model_dump(mode="json")

    def adapters(_: Message) -> Message:
        return {"adapters": [{"name": adapter.name} for adapter in client.adapters()]}

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

    return {"tokens": tokens, "adapters": adapters, "samples": samples, "keep": keep}


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
