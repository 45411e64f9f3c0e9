"""Pydantic's list of mistakes as one error of ours: each setting, its value, and what is allowed.

Kernel, command line and service say the same about the same mistake, because all of them come
through here.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ValidationError

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import NOTHING_STARTED, InvalidConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: Characters of a value that are shown.
_MAX_VALUE = 60

#: What is wrong, by pydantic's error type; `{}` fields come from the error's context.
_PHRASES = {
    "greater_than_equal": "is not at least {ge}",
    "greater_than": "is not more than {gt}",
    "less_than_equal": "is more than {le}",
    "less_than": "is not less than {lt}",
    "literal_error": "is not one of {expected}",
    "enum": "is not one of {expected}",
    "string_too_short": "has fewer than {min_length} characters",
    "string_too_long": "has more than {max_length} characters",
    "too_short": "has fewer than {min_length} entries",
    "too_long": "has more than {max_length} entries",
    "finite_number": "is not a finite number",
}
#: The same by the first word of the type, which pydantic shares among kin.
_KINDS = {
    "int": "is not a whole number",
    "float": "is not a number",
    "bool": "is not true or false",
    "string": "is not text",
    "path": "is not a path",
    "list": "is not a list",
    "tuple": "is not a list",
    "dict": "is not a mapping of names to values",
    "model": "is not a mapping of names to values",
    "json": "is not JSON",
}


def settings_error(
    error: ValidationError,
    shown: Mapping[str, str] | None = None,
    model: type[BaseModel] = RunConfig,
    hint: str = NOTHING_STARTED,
) -> InvalidConfigError:
    """Turn all mistakes that pydantic found into one error.

    Args:
        error: What pydantic raised.
        shown: How the person writes a field, such as `{"rank": "--rank"}`; else by its own name.
        model: What was validated; unknown names are compared with its fields.
        hint: What to do next, or what has not happened.
    """
    return InvalidConfigError(
        describe_mistakes(error.errors(include_url=False), shown, model), hint
    )


def describe_mistakes(
    details: Sequence[ErrorDetails],
    shown: Mapping[str, str] | None = None,
    model: type[BaseModel] = RunConfig,
) -> str:
    """Write a sentence for each mistake; see `settings_error`."""
    return " ".join(dict.fromkeys(_sentence(detail, shown or {}, model) for detail in details))


def _sentence(detail: ErrorDetails, shown: Mapping[str, str], model: type[BaseModel]) -> str:
    if detail["type"] == "value_error":
        text = str(detail.get("ctx", {}).get("error", detail["msg"])).rstrip(".")
        if not detail["loc"]:
            return f"{text[:1].upper()}{text[1:]}."
        return f"`{_name(detail, shown)}`: {text}."
    if detail["type"] == "extra_forbidden":
        return _unknown(detail, shown, model)
    if detail["type"] == "json_invalid":
        return f"The body is not JSON: {detail.get('ctx', {}).get('error', detail['msg'])}."
    if detail["type"] == "missing":
        return f"`{_name(detail, shown)}` is missing."
    return f"`{_name(detail, shown)}{_value(detail, shown)}` {_what(detail, model)}."


def _what(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = detail["type"], cast("dict[str, object]", detail.get("ctx", {}))
    if kind in {"string_too_short", "string_pattern_mismatch"} and detail["input"] == "":
        return "is empty"
    if kind == "string_pattern_mismatch":
        field = model.model_fields.get(str(detail["loc"][0])) if detail["loc"] else None
        allowed = field.description if field is not None else None
        return f"does not fit: {allowed or context.get('pattern')}"
    if kind in _PHRASES:
        if _is_nan(detail["input"]):
            return _KINDS["float"]
        return _PHRASES[kind].format(**{name: _plain(limit) for name, limit in context.items()})
    known = _KINDS.get(kind.split("_", 1)[0])
    return known or f"is not allowed: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _is_nan(value: object) -> bool:
    try:
        return isinstance(value, str | float) and math.isnan(float(value))
    except ValueError:
        return False


def _plain(limit: object) -> object:
    """Write 1000.0 as 1000."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _unknown(detail: ErrorDetails, shown: Mapping[str, str], model: type[BaseModel]) -> str:
    name = str(detail["loc"][-1])
    is_top = len(detail["loc"]) == 1
    written = {field: shown.get(field, field) for field in model.model_fields} if is_top else {}
    near = difflib.get_close_matches(name, written, n=1, cutoff=0.6)
    end = f"; did you mean `{written[near[0]]}`?" if near else "."
    return f"`{_name(detail, shown)}` is not a setting{end}"


def _name(detail: ErrorDetails, shown: Mapping[str, str]) -> str:
    name = ""
    for part in detail["loc"]:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += f".{part}" if name else shown.get(part, part)
    return name or "body"


def _value(detail: ErrorDetails, shown: Mapping[str, str]) -> str:
    value = repr(detail["input"])
    if len(value) > _MAX_VALUE:
        value = f"{value[:_MAX_VALUE]}…"
    is_flag = bool(detail["loc"]) and shown.get(str(detail["loc"][0]), "").startswith("-")
    return f" {value}" if is_flag else f"={value}"
