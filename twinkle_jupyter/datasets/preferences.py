"""Preference rows: one prompt, a chosen and a rejected answer to it.

The layouts are those of TRL: with the prompt as a field of its own, or as what both answers begin
with; as text or as messages. The chat panel writes the first, with messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NotRequired, TypedDict

from twinkle_jupyter.datasets.layouts import (
    instruction_of,
    is_nothing,
    is_preference,
    prompt_turns,
    read_turns,
    to_tools,
    to_turns,
    with_system,
)
from twinkle_jupyter.datasets.record_checks import describe, find_faults, raise_faults
from twinkle_jupyter.datasets.turn_fields import Message, clean_message
from twinkle_jupyter.errors import NOTHING_STARTED, InvalidDataError

_ROLES = {"Human": "user", "Assistant": "assistant"}
_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):")
#: What data sets call the prompt, besides `instruction` and `input`.
_PROMPT_NAMES = ("prompt", "question")
#: The two answers, by the names of their fields.
SIDES = ("chosen", "rejected")


class Preference(TypedDict):
    """One row: which of two answers is the better one."""

    #: What both answer; without an answer of the assistant at its end.
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    #: Functions that may be called, as JSON schemas.
    tools: NotRequired[list[object]]


def to_preference(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row of any of the layouts as `Preference` has it, unchecked.

    What is no text and no list of messages stays what it is, so that the check can name it.
    """
    prompt, chosen, rejected = map(_read, (_prompt_of(row), *map(row.get, SIDES)))
    if isinstance(chosen, list) and isinstance(rejected, list) and not isinstance(prompt, list):
        shared = _count_shared(chosen, rejected)
        if shared:
            prompt, chosen, rejected = chosen[:shared], chosen[shared:], rejected[shared:]
    elif isinstance(chosen, str) and isinstance(rejected, str) and not prompt:
        prompt, chosen, rejected = _split_texts(chosen, rejected)
    turns = {
        "prompt": None if prompt is None else with_system(row, prompt_turns(row, prompt)),
        "chosen": _as_turn("assistant", chosen),
        "rejected": _as_turn("assistant", rejected),
    }
    return {**turns, "tools": to_tools(row)}


def check_preferences(records: object, name: str = "records") -> list[Preference]:
    """Return the records, now known to be preferences that can be learned from.

    Args:
        records: What came from outside: should be a list of `{"prompt", "chosen", "rejected"}`.
        name: What people call this data, for the message.

    Raises:
        InvalidDataError: A record is no such row, or there is none; names the first five faults by
            row, side and message, and the count of all.
    """
    if not isinstance(records, Sequence) or isinstance(records, str | bytes):
        raise InvalidDataError(
            f"`{name}` is {describe(records)}, not a list of records.", NOTHING_STARTED
        )
    if not records:
        raise InvalidDataError(f"`{name}` is empty.", NOTHING_STARTED)
    found = (
        find_preference_faults(record, f"row {row}") for row, record in enumerate(records, start=1)
    )
    raise_faults(name, [fault for faults in found for fault in faults])
    return [_clean(record) for record in records]


def side_of(record: Mapping[str, object], side: str) -> dict[str, object]:
    """Return the conversation that one of the two answers makes with the prompt."""
    prompt, answer = record["prompt"], record[side]
    both = [*prompt, *answer] if isinstance(prompt, list) and isinstance(answer, list) else answer
    return {"messages": both, "tools": record.get("tools")}


def find_preference_faults(record: object, place: str) -> list[str]:
    """Return what is wrong with one record, each as a sentence that begins with `place`."""
    if not isinstance(record, Mapping):
        return [f"{place} is {describe(record)}, not an object with `chosen` and `rejected`"]
    if not is_preference(record):
        fields = ", ".join(f"`{field}`" for field in list(record)[:6]) or "nothing"
        return [f"{place} has {fields}, and needs `chosen` and `rejected` for the loss dpo"]
    faults = list(_find_shape_faults(record, place))
    if faults:
        return faults
    by_side = {side: find_faults(side_of(record, side), f"{place}, {side}") for side in SIDES}
    # What is wrong with the prompt is wrong on both sides; it is told once.
    told = {fault.removeprefix(f"{place}, chosen") for fault in by_side["chosen"]}
    faults += by_side["chosen"]
    faults += [
        fault
        for fault in by_side["rejected"]
        if fault.removeprefix(f"{place}, rejected") not in told
    ]
    if not faults and record["chosen"] == record["rejected"]:
        faults.append(f"{place}: the chosen and the rejected answer are the same")
    return faults


def _find_shape_faults(record: Mapping[str, object], place: str) -> Iterator[str]:
    prompt = record.get("prompt")
    if not isinstance(prompt, list):
        yield (
            f"{place} has no prompt: neither a field `prompt`, nor a beginning that `chosen` and"
            " `rejected` share"
        )
    elif not prompt:
        yield f"{place} has an empty prompt"
    for side in SIDES:
        answer = record[side]
        if not isinstance(answer, list):
            yield f"{place}: `{side}` is {describe(answer)}, neither text nor a list of messages"
        elif not any(isinstance(one, Mapping) and one.get("role") == "assistant" for one in answer):
            yield f"{place}: `{side}` has no answer of the assistant"


def _clean(record: Mapping[str, list[Mapping[str, object]]]) -> Preference:
    cleaned: Preference = {
        "prompt": [clean_message(message) for message in record["prompt"]],
        "chosen": [clean_message(message) for message in record["chosen"]],
        "rejected": [clean_message(message) for message in record["rejected"]],
    }
    if record.get("tools"):
        cleaned["tools"] = list(record["tools"])
    return cleaned


def _prompt_of(row: Mapping[str, object]) -> object:
    """Return what is asked, whatever data sets call it; None where only the answers say it."""
    names = (name for name in _PROMPT_NAMES if not is_nothing(row.get(name)))
    name = next(names, None)
    return instruction_of(row) if name is None else row[name]


def _read(value: object) -> object:
    """Return text, or a list of messages; a column may hold these as JSON, a dialogue as text."""
    if isinstance(value, float):
        return None  # a table has NaN where a row has nothing
    if not isinstance(value, str):
        return to_turns(value)
    if isinstance(turns := read_turns(value), list):
        return turns
    # As in `\n\nHuman: …\n\nAssistant: …` of HH-RLHF.
    before, *parts = _SPEAKER.split(value)
    if before.strip() or len(set(parts[::2])) < len(_ROLES):
        return value
    said = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": _ROLES[speaker], "content": text.strip()} for speaker, text in said]


def _as_turn(role: str, value: object) -> object:
    return [{"role": role, "content": value}] if isinstance(value, str) else value


def _count_shared(chosen: list[object], rejected: list[object]) -> int:
    """Count the messages that both begin with, less an answer that both have in common."""
    pairs = zip(chosen, rejected, strict=False)
    count = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    while count and isinstance(last := chosen[count - 1], Mapping) and last["role"] == "assistant":
        count -= 1
    return count


def _split_texts(chosen: str, rejected: str) -> tuple[object, str, str]:
    """Split two texts where they begin to differ, before the word in which they do."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False))
    shared = "".join(character for character, _ in same)
    if len(shared) < max(len(chosen), len(rejected)):
        shared = shared[: max(shared.rfind(" "), shared.rfind("\n")) + 1]
    size = len(shared)
    return shared.strip() or None, chosen[size:].strip(), rejected[size:].strip()
