"""Classes that a client may name: looked up in tables, and never imported by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError

T = TypeVar("T")

#: How its own client and server spell the one template, which is the base model's own.
TEMPLATES: Mapping[str, None] = {"Template": None, "Qwen3_5Template": None}
PROCESSORS: Mapping[str, None] = {"InputProcessor": None}


def find_class(table: Mapping[str, T], name: str, what: str) -> T:
    """Return what the table has under this name.

    Raises:
        InvalidConfigError: It has none; says which there are.
    """
    if name not in table:
        raise InvalidConfigError(f"{what}={name!r} is not one of {', '.join(table)}.")
    return table[name]


def read_settings(
    given: Mapping[str, JsonValue], known: Mapping[str, float | None], of: str
) -> dict[str, float]:
    """Return every number that a class can be told; None in `known` stands for one that it needs.

    Raises:
        InvalidConfigError: One is missing, not known or no number; names all of them.
    """
    wrong = [f"{name} is not a setting of {of}" for name in given if name not in known]
    wrong += [
        f"{name}={value!r} is not a number"
        for name, value in given.items()
        if name in known and not _is_number(value)
    ]
    wrong += [
        f"{of} needs {name}"
        for name, default in known.items()
        if default is None and name not in given
    ]
    if wrong:
        raise InvalidConfigError(
            f"{'; '.join(wrong)}.", f"{of} takes {', '.join(known) or 'no settings'}."
        )
    numbers = {name: float(value) for name, value in given.items() if _is_number(value)}  # type: ignore[arg-type]
    return {**{k: v for k, v in known.items() if v is not None}, **numbers}


def refuse_others(given: Mapping[str, JsonValue], allowed: Mapping[str, object], of: str) -> None:
    """Refuse arguments that would be passed over in silence.

    Args:
        given: As the client sent them.
        allowed: By name: the values that mean nothing special; `...` stands for any.
        of: Whose they are.

    Raises:
        InvalidConfigError: Names every one.
    """
    wrong = [
        f"{name}={value!r}" if name in allowed else name
        for name, value in given.items()
        if name not in allowed or not _is_allowed(value, allowed[name])
    ]
    if wrong:
        names = ", ".join(allowed) or "nothing else"
        raise InvalidConfigError(f"{of} does not take {', '.join(wrong)}.", f"It takes {names}.")


def _is_allowed(value: JsonValue, allowed: object) -> bool:
    return allowed is ... or (value in allowed if isinstance(allowed, tuple) else value == allowed)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
