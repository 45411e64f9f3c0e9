"""Rows of known data sets to conversations: the classes that clients name for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.service.twinkle.class_names import find_class

Row: TypeAlias = Mapping[str, JsonValue]
Settings: TypeAlias = Mapping[str, JsonValue]
Preprocess: TypeAlias = Callable[[Row, Settings], dict[str, JsonValue]]

_GROUND_TRUTH = re.compile(r"####\s*([\-\d,.]+)")
_ASSISTANT = "You are a helpful assistant."
_MATH = (
    "You are a helpful math assistant. Respond with only the final answer in the form \\boxed{...}"
    " and nothing else."
)
_GSM8K = (
    "You are a helpful math assistant. Solve the problem step by step and put your final answer"
    " within \\boxed{}."
)
_COUNTDOWN = (
    "You are a helpful assistant. You first thinks about the reasoning process in the mind and then"
    " provides the user with the answer."
)
_COUNTDOWN_TASK = (
    "Using the numbers {nums}, create an equation that equals {target}.\n"
    "You can use basic arithmetic operations (+, -, *, /) and each number can only be used once.\n"
    "Show your work in <think> </think> tags. And return the final equation and answer in <answer>"
    " </answer> tags,\nfor example <answer> (1 + 2) / 3 * 4 = 4 </answer>."
)


def _talk(*turns: tuple[str, str]) -> list[JsonValue]:
    return [{"role": role, "content": content} for role, content in turns]


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise InvalidDataError(f"A row has no text in {name!r}.", f"It has {', '.join(row)}.")
    return value


_MAX_NAME = 200


def _self_cognition(row: Row, settings: Settings) -> dict[str, JsonValue]:
    def named(text: str) -> str:
        # Written wherever a row has a mark: a long name would be many times as long there.
        name = str(settings.get("model_name") or "twinkle robot")[:_MAX_NAME]
        author = str(settings.get("model_author") or "twinkle lab")[:_MAX_NAME]
        return text.replace("{{NAME}}", name).replace("{{AUTHOR}}", author)

    asked, answer = named(_text(row, "query")), named(_text(row, "response"))
    return {"messages": _talk(("system", _ASSISTANT), ("user", asked), ("assistant", answer))}


def _alpaca(row: Row, _: Settings) -> dict[str, JsonValue]:
    task, more = str(row.get("instruction") or ""), str(row.get("input") or "")
    prompt = f"{task}\n{more}" if more else task
    return {"messages": _talk(("user", prompt), ("assistant", str(row.get("output") or "")))}


def _competition_math(row: Row, _: Settings) -> dict[str, JsonValue]:
    return {
        "messages": _talk(("user", _text(row, "problem")), ("assistant", _text(row, "solution")))
    }


def _competition_math_grpo(row: Row, _: Settings) -> dict[str, JsonValue]:
    turns = (("system", _MATH), ("user", _text(row, "problem")), ("assistant", ""))
    return {"messages": _talk(*turns), "user_data": [["solution", _text(row, "solution")]]}


def _gsm8k(row: Row, settings: Settings) -> dict[str, JsonValue]:
    answer = str(row.get("answer") or "")
    found = _GROUND_TRUTH.search(answer)
    turns = [("system", str(settings.get("system") or _GSM8K)), ("user", _text(row, "question"))]
    if settings.get("add_assistant"):
        turns.append(("assistant", answer))
    truth = found[1].replace(",", "").strip() if found else ""
    return {"messages": _talk(*turns), "user_data": [["ground_truth", truth]]}


def _countdown(row: Row, _: Settings) -> dict[str, JsonValue]:
    nums, target = row.get("nums", []), row.get("response", row.get("target", 0))
    task = _COUNTDOWN_TASK.format(nums=nums, target=target)
    data: dict[str, JsonValue] = {"target": target, "nums": nums}
    return {"messages": _talk(("system", _COUNTDOWN), ("user", task)), "user_data": [data]}


def _emoji_dpo(row: Row, settings: Settings) -> dict[str, JsonValue]:
    def told(setting: str, default: str) -> str:
        return _text(row, str(settings.get(setting) or default))

    system = str(settings.get("system") or "")
    asked = [("system", system)] if system else []
    asked.append(("user", told("prompt_key", "prompt")))
    answers = {
        "positive": told("chosen_key", "answer_zh"),
        "negative": told("rejected_key", "answer_en"),
    }
    return {
        which: {"messages": _talk(*asked, ("assistant", answer))}
        for which, answer in answers.items()
    }


#: By class name: what it makes of a row, and what it can be told.
PREPROCESSORS: Mapping[str, tuple[Preprocess, tuple[str, ...]]] = {
    "SelfCognitionProcessor": (_self_cognition, ("model_name", "model_author")),
    "AlpacaProcessor": (_alpaca, ()),
    "CompetitionMathProcessor": (_competition_math, ()),
    "CompetitionMathGRPOProcessor": (_competition_math_grpo, ()),
    "GSM8KProcessor": (_gsm8k, ("system", "add_assistant")),
    "CountdownProcessor": (_countdown, ()),
    "EmojiDPOProcessor": (_emoji_dpo, ("system", "chosen_key", "rejected_key", "prompt_key")),
}


def find_preprocessor(name: JsonValue, settings: Settings) -> Preprocess:
    """Return what a class of this name makes of a row.

    Raises:
        InvalidConfigError: There is no such class, or not with these settings.
    """
    preprocess, known = find_class(PREPROCESSORS, str(name), "preprocess_func")
    if wrong := sorted(settings.keys() - set(known)):
        told = ", ".join(known) or "nothing"
        raise InvalidConfigError(f"{name} does not take {', '.join(wrong)}.", f"It takes {told}.")
    return preprocess
