"""Tab completion after `%twinkle`: verbs, flags, names of runs and adapters, data.

Names come from the service and are remembered for two seconds; a slow service costs a keystroke
at most a quarter of a second.
"""

from __future__ import annotations

import glob
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.notebook.verbs import VERBS, Verb

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from twinkle_jupyter.notebook.session import Session

Matcher: TypeAlias = "Callable[[CompletionContext], SimpleMatcherResult]"

NAMES_S = 2.0
WAIT_S = 0.25

_LINE = re.compile(r"(?:^|=)\s*%{1,2}twinkle\s+(?P<rest>.*)$")
_TO_ESCAPE = re.compile(r"[\s'\"\\]")
_DATA_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
_NAMED = frozenset(
    (
        "chat",
        "checkpoint",
        "checkpoints",
        "fork",
        "pause",
        "resume",
        "rewind",
        "sample",
        "set",
        "show",
        "stop-run",
        "tree",
    )
)


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


def complete(
    rest: str, session: Session, get_names: Callable[[], list[str]]
) -> tuple[str, list[str]]:
    """Return the word before the cursor and what it can become."""
    words = rest.split()
    fragment = "" if rest[-1:].isspace() or not words else words.pop()
    if not words:
        return fragment, _starting(fragment, VERBS)
    verb = VERBS.get(words[0])
    if verb is None:
        return fragment, []
    return fragment, _starting(fragment, _candidates(verb, words, fragment, session, get_names))


def _candidates(
    verb: Verb,
    words: list[str],
    fragment: str,
    session: Session,
    get_names: Callable[[], list[str]],
) -> list[str]:
    if fragment.startswith("-"):
        return verb.parser().flags()
    if words[-1] == "--compare":
        return ["base", *get_names()]
    if words[-1].startswith("--") and words[-1] != "--wait":
        return _choices(verb, words[-1])
    if verb.name == "train":
        return _data(fragment, session)
    if verb.name in _NAMED:
        return [*(["base"] if verb.name in {"chat", "sample"} else []), *get_names()]
    return []


def _starting(fragment: str, candidates: list[str] | dict[str, Verb]) -> list[str]:
    return [text for text in candidates if text.startswith(fragment)]


def _choices(verb: Verb, flag: str) -> list[str]:
    """Return the words that a flag takes, as its help shows them."""
    for action in verb.parser()._actions:  # noqa: SLF001 - argparse has no other way to ask
        if flag in action.option_strings and str(action.metavar).startswith("{"):
            return str(action.metavar).strip("{}").split(",")
    return []


def _data(fragment: str, session: Session) -> list[str]:
    """Return variables, files and shipped data sets."""
    from twinkle_jupyter.datasets.records import shipped_names

    variables = [
        name
        for name, value in list(session.names.items())
        if not name.startswith("_") and (isinstance(value, list) or hasattr(value, "columns"))
    ]
    files = []
    for match in sorted(glob.glob(f"{glob.escape(fragment)}*"))[:200]:  # noqa: PTH207 - as typed
        if Path(match).is_dir():
            files.append(f"{_as_word(match)}/")
        elif match.endswith(_DATA_SUFFIXES):
            files.append(_as_word(match))
    return [*variables, *files, *shipped_names()]


def _as_word(path: str) -> str:
    """Write a path so that the line reads it as one word again."""
    return _TO_ESCAPE.sub(r"\\\g<0>", path)


class _Names:
    """Names of runs' adapters, fetched by a thread so that a keystroke never waits long."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: list[str] = []
        self._fetched_at = float("-inf")
        self._thread: threading.Thread | None = None

    def get(self) -> list[str]:
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
                self._names = list(dict.fromkeys(run.adapter for run in client.runs()))
        except TwinkleError:
            self._names = []
        self._fetched_at = time.monotonic()
