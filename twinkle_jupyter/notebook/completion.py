"""Tab completion after `%twinkle`: verbs, flags, names of runs and adapters, data.

Names come from the service and are remembered for two seconds; a slow service costs a keystroke
at most a quarter of a second.
"""

from __future__ import annotations

import glob
import os
import re
import threading
import time
from argparse import Action
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.notebook.metric_verbs import LOGGERS
from twinkle_jupyter.notebook.typed_word import read_typed
from twinkle_jupyter.notebook.verb import Verb
from twinkle_jupyter.notebook.verbs import VERBS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.notebook.session import Session

Matcher: TypeAlias = "Callable[[CompletionContext], SimpleMatcherResult]"

NAMES_S = 2.0
WAIT_S = 0.25

_LINE = re.compile(r"(?:^|=)\s*%{1,2}twinkle\s+(?P<rest>.*)$")
_DATA_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
#: What completes an argument, by its name in the parser; verbs share these names.
_KINDS: dict[str, tuple[str, ...]] = {
    "data": ("data",),
    "name": ("runs",),
    "run": ("runs",),
    "model": ("base", "runs"),
    "compare": ("base", "runs"),
    "adapter": ("runs",),
    "from_adapter": ("runs",),
    "record": ("paths",),
    "folder": ("paths",),
    "token_file": ("paths",),
    "setting_base_model": ("paths",),
}
#: Where the same name means something else, or more.
_KINDS_OF_VERBS: dict[tuple[str, str], tuple[str, ...]] = {
    ("show", "name"): ("runs", "sweeps"),
    ("metrics", "name"): ("runs", "sweeps"),
    ("metrics", "to"): ("loggers", "paths"),
    ("record", "to"): ("paths",),
    ("sweep", "name"): (),
    ("prune", "name"): ("sweeps",),
    ("extend", "name"): ("sweeps",),
    ("stop-sweep", "name"): ("sweeps",),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What there is to name."""

    adapters: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()


def make_matcher(session: Session) -> Matcher:
    """Return a matcher for IPython's completer that answers only after `%twinkle`."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    names = _Names(session)

    def twinkle_matcher(context: CompletionContext) -> SimpleMatcherResult:
        line = context.line_with_cursor[: context.cursor_position]
        found = _LINE.search(line)
        if found is None:
            return {"completions": []}
        fragment, texts = complete(found["rest"], session, names.get)
        return {
            "completions": [SimpleCompletion(text=text, type="param") for text in texts],
            "suppress": True,
            "matched_fragment": fragment,
        }

    return cast("Matcher", context_matcher(identifier="twinkle")(twinkle_matcher))


def complete(rest: str, session: Session, get_names: Callable[[], Names]) -> tuple[str, list[str]]:
    """Return the word before the cursor and what it can become, both as they are typed."""
    words, word = read_typed(rest)
    candidates = _candidates_after(words, word.said, session, get_names)
    starting = [text for text in dict.fromkeys(candidates) if text.startswith(word.said)]
    return word.raw, [word.write(text) for text in starting]


def _candidates_after(
    words: list[str], fragment: str, session: Session, get_names: Callable[[], Names]
) -> Iterable[str]:
    if not words:
        return VERBS
    verb = VERBS.get(words[0])
    if verb is None:
        return ()
    if fragment.startswith("-"):
        return verb.parser().flags()
    action = _action_at(verb, words[1:])
    return _candidates(verb, action, fragment, session, get_names) if action is not None else ()


def _action_at(verb: Verb, words: list[str]) -> Action | None:
    """Return the argument that the next word would be the value of."""
    actions = verb.parser()._actions  # noqa: SLF001 - argparse has no other way to ask
    flags = {flag: action for action in actions for flag in action.option_strings}
    last = flags.get(words[-1]) if words else None
    if last is not None and last.nargs != 0:
        return last
    # A flag takes the word behind it, unless it is a switch or has its value with it.
    taken = [i + 1 for i, word in enumerate(words) if word in flags and flags[word].nargs != 0]
    given = [w for i, w in enumerate(words) if i not in taken and not w.startswith("-")]
    positional = [action for action in actions if not action.option_strings]
    if len(given) < len(positional):
        return positional[len(given)]
    repeats = bool(positional) and positional[-1].nargs in ("*", "+")
    return positional[-1] if repeats else None


def _candidates(
    verb: Verb,
    action: Action,
    fragment: str,
    session: Session,
    get_names: Callable[[], Names],
) -> list[str]:
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    if str(action.metavar).startswith("{"):
        return str(action.metavar).strip("{}").split(",")
    kinds = _KINDS_OF_VERBS.get((verb.name, action.dest), _KINDS.get(action.dest, ()))
    found: list[str] = []
    for kind in kinds:
        match kind:
            case "base":
                found.append("base")
            case "data":
                found += _data(fragment, session)
            case "paths":
                found += _paths(fragment)
            case "loggers":
                found += LOGGERS
            case "sweeps":
                found += get_names().sweeps
            case _:
                # Ids are long and seldom typed: only for who begins one.
                names = get_names()
                found += names.runs if fragment.startswith("run_") else names.adapters
    return found


def _data(fragment: str, session: Session) -> list[str]:
    """Return variables, files and shipped data sets."""
    from twinkle_jupyter.datasets.records import shipped_names

    variables = [
        name
        for name, value in list(session.names.items())
        if not name.startswith("_") and (isinstance(value, list) or hasattr(value, "columns"))
    ]
    return [*variables, *_paths(fragment, _DATA_SUFFIXES), *shipped_names()]


def _paths(fragment: str, endings: tuple[str, ...] = ("",)) -> list[str]:
    """Return folders, and files with one of the endings; a home is written as it was typed."""
    home, slash, _ = fragment.partition("/")
    folder = os.path.expanduser(home) if home.startswith("~") else home  # noqa: PTH111 - as typed
    if folder != home and not slash:
        return [f"{home}/"]
    found = []
    beginning = glob.escape(folder + fragment[len(home) :])
    for match in sorted(glob.glob(f"{beginning}*"))[:200]:  # noqa: PTH207 - as typed
        typed = home + match[len(folder) :]
        if Path(match).is_dir():
            found.append(f"{typed}/")
        elif match.endswith(endings):
            found.append(typed)
    return found


def _ask(client: Client) -> Names:
    runs = client.runs()
    adapters = [run.adapter for run in runs]
    adapters += [one.name for one in client.adapters()]
    return Names(
        tuple(dict.fromkeys(adapters)),
        tuple(run.run_id for run in runs),
        tuple(sweep.name for sweep in client.sweeps()),
    )


class _Names:
    """Names that the service knows, fetched by a thread so that a keystroke never waits long."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names = Names()
        self._fetched_at = float("-inf")
        self._thread: threading.Thread | None = None

    def get(self) -> Names:
        if time.monotonic() - self._fetched_at > NAMES_S:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._fetch, name="twinkle-completion", daemon=True
                )
                self._thread.start()
            self._thread.join(WAIT_S)
        return self._names

    def _fetch(self) -> None:
        try:
            client = self._session.service.find()
            if client is not None:
                self._names = _ask(client)
        except TwinkleError:
            self._names = Names()
        self._fetched_at = time.monotonic()
