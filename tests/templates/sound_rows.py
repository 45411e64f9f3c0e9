"""Rows that can be trained on, for each template that TRL ships, said by hand."""

from __future__ import annotations

from typing import TypeAlias

from twinkle_jupyter.templates.loss_mask import LossMask

Turn: TypeAlias = dict[str, object]
Turns: TypeAlias = list[Turn]

#: No row of theirs is sound: the prompt begins a reasoning that the template leaves out of every
#: answer, or writes no end of the last answer.
NEVER_SOUND = {"deepseek_r1_distill", "deepseekv3", "deepseekv3_training", "glm4moe"}
#: Of these no row can be written so that its prompt begins it, and no more is asked of it.
NEVER_WRITTEN = {"deepseek_r1_distill", "deepseekv3"}
#: Their prompts begin a reasoning, which they leave out of all answers but the last.
ONLY_REASONED = ("nemotron",)
_NO_SYSTEM = {"gemma", "gemma_training"}
_REWRITE_HISTORY = {"gptoss", "qwen3", "qwen3_5_nothink", "qwen3_5_think", "qwen3_6"}

ASK: Turn = {"role": "user", "content": "Who are you?"}
SAY: Turn = {"role": "assistant", "content": "I am Twinkle."}
ASK_MORE: Turn = {"role": "user", "content": "Is that so?"}
SAY_MORE: Turn = {"role": "assistant", "content": "It is."}
BE: Turn = {"role": "system", "content": "Be short."}
CALL: Turn = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": "look", "arguments": {"at": "it"}},
        }
    ],
}
RESULT: Turn = {"role": "tool", "name": "look", "tool_call_id": "call00001", "content": "Seen."}
TOOL: Turn = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks at it.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
    },
}
#: They have no place for calls of functions, and say so or leave them out.
_NO_CALLS = (
    "cohere",
    "deepseek",
    "gemma_",
    "gemma3",
    "idefics3",
    "llava_next",
    "smolvlm",
    "phi3",
    "qwen2_5_vl",
)
_NO_CALLS_BY_NAME = {"gemma", "lfm2", "lfm2_training", "llama3", "llama3_training"}
#: They write the reasoning of the last answer.
_REASONING = (
    *("diffusion_gemma", "gemma4_v5", "gptoss", "lfm2_2_5", "muse_glimmer", "nemotron"),
    *("qwen3_5_think", "qwen3_6", "qwen3_8"),
)
_REASONING_BY_NAME = {"glm4moe_training", "qwen3", "qwen3_training"}


def writes_calls(name: str) -> bool:
    """Tell whether the template writes calls of functions."""
    return not name.startswith(_NO_CALLS) and name not in _NO_CALLS_BY_NAME


def writes_tools(name: str) -> bool:
    """Tell whether the template writes the functions that may be called."""
    return (writes_calls(name) and name not in NEVER_SOUND) or name in {"lfm2", "lfm2_training"}


def writes_reasoning(name: str) -> bool:
    """Tell whether the template writes what was thought before the last answer."""
    return name.startswith(_REASONING) or name in _REASONING_BY_NAME


def find_sound_rows(name: str) -> list[tuple[LossMask, Turns]]:
    """Return what can be trained on with this template, said by hand."""
    if name in NEVER_SOUND:
        return []
    say, say_more = sound_answers(name)
    once, twice = [ASK, say], [ASK, say, ASK_MORE, say_more]
    rows: list[tuple[LossMask, Turns]] = [("all-assistant", once), ("last-assistant", once)]
    rows += [("all", once), ("last-assistant", twice)]
    if name not in _REWRITE_HISTORY and not name.startswith(ONLY_REASONED):
        rows += [("all-assistant", twice), ("custom", [ASK, {**say, "weight": 0}, *twice[2:]])]
    if name not in _NO_SYSTEM:
        rows += [("all-assistant", [BE, *once])]
    if writes_calls(name):
        call = {**CALL, "reasoning_content": "Hm."} if name.startswith(ONLY_REASONED) else CALL
        rows += [("last-assistant", [ASK, call, RESULT, say])]
        # Its marks leave out what ends a call.
        rows += [("last-assistant", [ASK, call])] if name != "diffusion_gemma_training" else []
    if writes_reasoning(name):
        rows += [("all-assistant", [ASK, {**say, "reasoning_content": "Let me see."}])]
    return rows


def sound_answers(name: str) -> tuple[Turn, Turn]:
    """Return two answers, with the reasoning that the prompt of some templates begins."""
    if name.startswith(ONLY_REASONED):
        return {**SAY, "reasoning_content": "Hm."}, {**SAY_MORE, "reasoning_content": "Well."}
    if name.startswith("deepseek"):
        return (
            {**SAY, "content": f"<think>\nHm.\n</think>\n\n{SAY['content']}"},
            {**SAY_MORE, "content": f"<think>\nWell.\n</think>\n\n{SAY_MORE['content']}"},
        )
    return SAY, SAY_MORE
