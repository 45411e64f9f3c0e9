"""The verbs as functions: `twinkle.train(rows, rank=4)` is `%twinkle train rows --rank 4`.

Each function is made from its verb's own parser, so that names, defaults, help and messages are the
same everywhere.
"""

from __future__ import annotations

import difflib
import inspect
import keyword
import sys
from argparse import SUPPRESS, Action
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.cell_value import CellValue
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Session, Table
from twinkle_jupyter.notebook.tables import table_html, table_plain
from twinkle_jupyter.notebook.value_face import ValueFace
from twinkle_jupyter.notebook.verb import Verb
from twinkle_jupyter.notebook.verbs import VERBS

if TYPE_CHECKING:
    from twinkle_jupyter.notebook.session import Face

#: Verbs about what is typed; a program has tracebacks and `help()` of its own.
_TYPED_ONLY = frozenset(("debug", "help"))
_DATA = "data"


class Twinkle:
    """Every verb as a function that returns objects and prints nothing.

    `twinkle.train?` shows what a verb takes. Functions use the service that `%twinkle` uses, and
    start one where none runs.
    """

    def __init__(self) -> None:
        self._service = ServiceLink()
        self._verbs = {
            _name(verb.name): verb for verb in VERBS.values() if verb.name not in _TYPED_ONLY
        }
        #: Made when they are first named.
        self._functions: dict[str, Callable[..., object]] = {}

    def __getattr__(self, name: str) -> Callable[..., object]:
        # Only asked for what is no attribute; `_verbs` itself must not lead here again.
        verbs: dict[str, Verb] = self.__dict__.get("_verbs", {})
        if name in verbs:
            if name not in self._functions:
                self._functions[name] = _function(verbs[name], self._service)
            return self._functions[name]
        near = difflib.get_close_matches(name, verbs, 1)
        meant = f": did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"twinkle has no verb {name!r}{meant}", name=name, obj=self)

    def __dir__(self) -> list[str]:
        return sorted(self._verbs)

    def __repr__(self) -> str:
        return table_plain(self._table())

    def _repr_html_(self) -> str:
        return table_html(self._table())

    def _table(self) -> Table:
        rows = [(f"twinkle.{name}", verb.summary) for name, verb in self._verbs.items()]
        return Table(
            "Verbs", ("function", "what it does"), rows, "`help(twinkle.train)` says what it takes."
        )


def _function(verb: Verb, service: ServiceLink) -> Callable[..., object]:
    parameters = _parameters(verb)
    signature = inspect.Signature([one.parameter for one in parameters.values()])

    def call(*args: object, **kwargs: object) -> object:
        _check_names(verb, parameters, kwargs)
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidConfigError(
                f"`twinkle.{call.__name__}`: {error}.", f"It takes {signature}."
            ) from error
        face = ValueFace(_home())
        session = Session(face, service, dict(_named(given)), _prefix(), is_program=True)
        words = [verb.name, *_words(parameters, given)]
        with face.quiet():
            value = VERBS[verb.name].act(session, verb.parser(_prefix()).parse(words[1:]))
        if isinstance(value, CellValue):
            value.said_in = None
        return face.kept if value is None else value

    call.__name__ = call.__qualname__ = _name(verb.name)
    call.__doc__ = _doc(verb, parameters)
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


class _Parameter:
    """One argument of a verb as a parameter of a function."""

    def __init__(self, action: Action) -> None:
        self.action = action
        flags = [flag for flag in action.option_strings if flag.startswith("--")]
        self.flag = flags[0] if flags else ""
        self.name = _name(self.flag.lstrip("-") or action.dest)

    @property
    def parameter(self) -> inspect.Parameter:
        kinds = inspect.Parameter
        if self.flag:
            default = False if self.is_switch else None
            return kinds(self.name, kinds.KEYWORD_ONLY, default=default)
        if self.action.nargs in ("*", "+"):
            return kinds(self.name, kinds.VAR_POSITIONAL)
        if self.action.nargs == "?":
            return kinds(self.name, kinds.POSITIONAL_OR_KEYWORD, default=None)
        return kinds(self.name, kinds.POSITIONAL_OR_KEYWORD)

    @property
    def is_switch(self) -> bool:
        return bool(self.flag) and self.action.nargs == 0

    def words(self, value: object) -> list[str]:
        """Write a value as it would be typed; one that is not set as nothing."""
        if value is None or (self.is_switch and not value):
            return []
        if self.is_switch:
            return [self.flag]
        return [f"{self.flag}={one}" if self.flag else str(one) for one in _each(value)]


def _parameters(verb: Verb) -> Mapping[str, _Parameter]:
    found = [_Parameter(action) for action in verb.parser()._actions if action.dest != "help"]  # noqa: SLF001 - argparse has no other way to ask
    positional = [one for one in found if not one.flag]
    return {one.name: one for one in (*positional, *(one for one in found if one.flag))}


def _words(parameters: Mapping[str, _Parameter], given: Mapping[str, object]) -> list[str]:
    flags: list[str] = []
    others: list[str] = []
    for name, value in given.items():
        is_object = name == _DATA and not isinstance(value, str | PurePath | None)
        words = [_DATA] if is_object else parameters[name].words(value)
        (flags if parameters[name].flag else others).extend(words)
    # What is asked may begin with a dash.
    return [*flags, *(["--"] if any(word.startswith("-") for word in others) else []), *others]


def _named(given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Give rows that are no file a name by which a verb finds them."""
    data = given.get(_DATA)
    if not isinstance(data, str | PurePath | None):
        yield _DATA, data


def _check_names(
    verb: Verb, parameters: Mapping[str, _Parameter], given: Mapping[str, object]
) -> None:
    unknown = [name for name in given if name not in parameters]
    if not unknown:
        return
    # The parser's own sentence, with the nearest flag.
    verb.parser(_prefix()).parse([f"--{name.replace('_', '-')}=" for name in unknown])


def _each(value: object) -> Sequence[object]:
    is_many = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return value if is_many else (value,)  # type: ignore[return-value]


def _name(name: str) -> str:
    name = name.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def _doc(verb: Verb, parameters: Mapping[str, _Parameter]) -> str:
    lines = [f"{verb.summary[:1].upper()}{verb.summary[1:]}.", ""]
    if parameters:
        lines.append("Args:")
    for name, one in parameters.items():
        said = one.action.help if one.action.help not in (None, SUPPRESS) else ""
        lines.append(f"    {name}: {(said or '').replace('%%', '%')}")
    return "\n".join([*lines, "", f"The same as `%twinkle {verb.name}`."])


def _home() -> Face | None:
    """Return the face of the shell that runs, if one does."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    from twinkle_jupyter.notebook.magics import face_of

    face: Face = face_of(shell)
    return face


def _prefix() -> str:
    return "%twinkle" if _home() is not None else "twinkle"


twinkle = Twinkle()
