"""The two conversations of a preference row, with what of each is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from twinkle_jupyter.templates.message_form import WEIGHT, Messages

CHOSEN, REJECTED = "chosen", "rejected"


def side_record(record: Mapping[str, object], side: str) -> dict[str, Messages]:
    """Return the conversation of one side, for the loss mask `custom`.

    Weight 1 is on what the assistant says in the answer, 0 on the prompt and on all else.

    Args:
        record: A preference: `prompt`, `chosen` and `rejected`, which are messages.
        side: Which of the two.
    """
    prompt, answer = (cast("Messages", record[name]) for name in ("prompt", side))
    weighted = [
        {**message, WEIGHT: 1.0 if message["role"] == "assistant" else 0.0} for message in answer
    ]
    tools = cast("Sequence[Mapping[str, object]]", record.get("tools") or ())
    return {
        "messages": [*({**message, WEIGHT: 0.0} for message in prompt), *weighted],
        "tools": tools,
    }
