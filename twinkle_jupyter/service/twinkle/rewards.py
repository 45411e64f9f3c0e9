"""How good an answer is, by rules: the classes that clients name for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from pydantic import JsonValue

_TAIL = 500
_HASHES = re.compile(r"####\s*([\-\d,\.\s]+)")
_MARK = "\\boxed{"
Trajectory = Mapping[str, JsonValue]


def _answer(trajectory: Trajectory) -> str:
    """Return the last thing that the assistant says."""
    messages = trajectory.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "assistant":
            return str(message.get("content") or "")
    return ""


def _truth(trajectory: Trajectory, name: str) -> str:
    pairs = trajectory.get("user_data")
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list) and len(pair) == 2 and pair[0] == name:
            return str(pair[1])
    return ""


def _boxed(text: str) -> str:
    """Return what is in the last box, braces within it included."""
    start = text.rfind(_MARK)
    if start < 0:
        return ""
    depth, first = 1, start + len(_MARK)
    for place in range(first, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[first:place].strip()
    return ""


def _format(trajectory: Trajectory) -> float:
    text = _answer(trajectory)
    return float(all(_has_part(text, tag) for tag in ("think", "answer")))


def _has_part(text: str, tag: str) -> bool:
    """Whether a tag is opened and closed after that; in one pass, however often it is opened."""
    opened = text.find(f"<{tag}>")
    return opened >= 0 and text.find(f"</{tag}>", opened) >= 0


def _gsm8k_accuracy(trajectory: Trajectory) -> float:
    text, truth = _answer(trajectory)[-_TAIL:], _truth(trajectory, "ground_truth")
    hashes = _HASHES.findall(text)
    said = (_boxed(text) or (hashes[-1] if hashes else "")).replace(",", "").replace(" ", "")
    said = said.strip()
    if not (said and truth):
        return 0.0
    try:
        return float(abs(float(said) - float(truth)) < 1e-5)
    except ValueError:
        return float(said == truth)


def _gsm8k_format(trajectory: Trajectory) -> float:
    text = _answer(trajectory)
    return float(bool(_boxed(text) or _HASHES.search(text)))


REWARDS: Mapping[str, Callable[[Trajectory], float]] = {
    "FormatReward": _format,
    "GSM8KAccuracyReward": _gsm8k_accuracy,
    "GSM8KFormatReward": _gsm8k_format,
}


def score(name: str, trajectories: JsonValue) -> list[JsonValue]:
    """Return one number a trajectory."""
    found = trajectories if isinstance(trajectories, list) else [trajectories]
    return [
        REWARDS[name](cast("Trajectory", one)) if isinstance(one, dict) else 0.0 for one in found
    ]
