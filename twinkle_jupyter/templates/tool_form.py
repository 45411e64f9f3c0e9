"""How a chat template has its model call functions, found by having it write such a call.

Two kinds are read: JSON between tags, as Hermes and Qwen write it, and bare JSON, as Llama 3 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.templates.message_form import Messages, Tools

CALL_START, CALL_END = "<tool_call>", "</tool_call>"
_NAME, _ARGUMENTS = "xyzzy_plugh", {"spell": "frobnicate"}
_TOOL = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "Casts a spell.",
        "parameters": {
            "type": "object",
            "properties": {"spell": {"type": "string", "description": "Which one."}},
            "required": ["spell"],
        },
    },
}
_QUESTION = {"role": "user", "content": "-"}
_CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": _NAME, "arguments": _ARGUMENTS},
        }
    ],
}


class RenderTools(Protocol):
    """Messages to text, with functions that may be called."""

    def __call__(self, messages: Messages, *, with_prompt: bool = False, tools: Tools = ()) -> str:
        """Return the text."""
        ...


@dataclass(frozen=True, slots=True)
class CallForm:
    """What is around the name of a function that is called."""

    #: From the call's beginning to the name.
    opening: str
    #: From the name to the arguments.
    middle: str

    def begin(self, name: str | None) -> str:
        """Return how a call begins: of this function, or of one that is still to be named."""
        return self.opening if name is None else f"{self.opening}{name}{self.middle}"


def find_call_form(render: RenderTools) -> CallForm | None:
    """Return how the template writes calls; None for one without tools, or of another form."""
    try:
        prompt = render([_QUESTION], with_prompt=True, tools=[_TOOL])
        text = render([_QUESTION, _CALL], tools=[_TOOL])
    except InvalidDataError:
        return None
    name = text.rfind(_NAME)
    arguments = text.find('{"spell"', name)
    if _NAME not in prompt or name < 0 or arguments < 0:
        return None
    begin = text.rfind(CALL_START, 0, name)
    begin = begin if begin >= 0 else text.rfind('{"', 0, name)
    opening, middle = text[begin:name], text[name + len(_NAME) : arguments]
    is_known = begin >= 0 and opening.endswith('"') and middle.startswith('"')
    return CallForm(opening, middle) if is_known else None
