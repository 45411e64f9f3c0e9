"""The reference page of the verbs, written from their table.

`python -m twinkle_jupyter.notebook.verbs_page > docs/reference/verbs.md` renews it, and a test
compares.
"""

from __future__ import annotations

import inspect
import re
import sys
from argparse import Action

from twinkle_jupyter.notebook.functions import twinkle
from twinkle_jupyter.notebook.verb import Verb
from twinkle_jupyter.notebook.verbs import verbs_by_group

_INTRODUCTION = """\
# Verbs

Written from the one table in `twinkle_jupyter/notebook/verbs.py` by
`python -m twinkle_jupyter.notebook.verbs_page`. Every verb is a magic
(`%twinkle train rows.jsonl`), a command (`twinkle train rows.jsonl`) and a function
(`twinkle.train("rows.jsonl")` after `from twinkle_jupyter import twinkle`), with the same names,
flags, help and messages; a function returns objects and prints nothing:
[Python API](python-api.md). No verb is `status`. `train`, `sweep`, `preview`, `chat` and `sample`
also take the body of a `%%twinkle` cell; the first three take, as `-`, what is piped into the
command.
"""
_CHOICES = re.compile(r"^\{(.+)\}$")


def verbs_page() -> str:
    """Return the page, Markdown."""
    parts = [_INTRODUCTION]
    for group, verbs in verbs_by_group().items():
        parts.append(f"## {group[:1].upper()}{group[1:]}\n")
        parts += [_verb(verb) for verb in verbs]
    return "\n".join(parts)


def _verb(verb: Verb) -> str:
    lines = [f"### {verb.name}", "", f"{verb.summary[:1].upper()}{verb.summary[1:]}."]
    name = verb.name.replace("-", "_")
    function = next((one for one in dir(twinkle) if one in (name, f"{name}_")), None)
    if function is not None:
        called = inspect.signature(getattr(twinkle, function))
        positional = [
            str(one) for one in called.parameters.values() if one.kind != one.KEYWORD_ONLY
        ]
        more = ["…"] if len(positional) < len(called.parameters) else []
        lines[-1] += f" `twinkle.{function}({', '.join([*positional, *more])})`"
    rows = [
        (_written(action), action.help or "")
        for action in verb.parser()._actions  # noqa: SLF001 - argparse has no other way to ask
        if action.dest != "help"
    ]
    if rows:
        lines += ["", "| takes | what |", "| --- | --- |"]
        lines += [f"| {word} | {_cell(said)} |" for word, said in rows]
    return "\n".join([*lines, ""])


def _written(action: Action) -> str:
    if not action.option_strings:
        return f"`{action.dest}`"
    value = str(action.metavar or "")
    choices = _CHOICES.match(value)
    words = choices[1].split(",") if choices else [str(one) for one in action.choices or ()]
    value = " \\| ".join(words) or value
    return f"`{action.option_strings[0]}`{f' {value}' if value else ''}"


def _cell(said: str) -> str:
    return said.replace("%%", "%").replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(verbs_page())
