"""Arguments of verbs by argparse, with every mistake as one sentence.

The settings of `train` are the fields of `RunConfig`; their values stay strings until `RunConfig`
reads them, so that all mistakes are reported at once.
"""

from __future__ import annotations

import difflib
import re
import shlex
from argparse import Action, ArgumentError, ArgumentParser, HelpFormatter, Namespace
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NoReturn, get_args

from twinkle_jupyter.errors import InvalidConfigError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_VALUE_MISSING = re.compile(r"argument (?P<flag>[^:]+): expected (one|at least one) argument")
_ARGUMENT_MISSING = re.compile(r"the following arguments are required: (?P<names>.+)")

_NEGATIVE_NUMBER = re.compile(r"-\.?\d[\d.]*([eE][+-]?\d+)?")


class HelpAsked(Exception):  # noqa: N818 - a request, not a failure
    """Somebody asked for help; the text is the argument."""


class SentenceParser(ArgumentParser):
    """An argument parser that raises sentences and never prints or exits."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            add_help=False,
            allow_abbrev=False,
            exit_on_error=False,
            formatter_class=lambda prog: HelpFormatter(prog, max_help_position=30, width=98),
        )
        self.add_argument("--help", "-h", action=_AskForHelp, help="show this and do nothing")

    def parse(self, words: Sequence[str]) -> Namespace:
        """Read the words after the verb.

        Raises:
            InvalidConfigError: Something is missing, unknown or has no value.
            HelpAsked: `--help` is among them.
        """
        try:
            namespace, unknown = self.parse_known_args(
                self._flags_first(_join_negative_numbers(words))
            )
        except ArgumentError as error:
            raise self._sentence(str(error)) from error
        if unknown:
            raise self._unknown(unknown)
        return namespace

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise self._sentence(message)

    def flags(self) -> list[str]:
        """Return the long flags in their order."""
        return [
            flag for action in self._actions for flag in action.option_strings if flag[:2] == "--"
        ]

    def _flags_first(self, words: Sequence[str]) -> Sequence[str]:
        """Return the words with the flags before the rest.

        argparse fills all positional arguments from the first words that stand together: of
        `chat pirate --compare base "Who are you?"` it would not take the question.
        """
        is_switch = {
            flag: action.nargs == 0 for action in self._actions for flag in action.option_strings
        }
        flags: list[str] = []
        rest: list[str] = []
        left = iter(words)
        for word in left:
            if word == "--":
                rest += [word, *left]
            elif word.split("=")[0] not in is_switch:
                rest.append(word)
            elif "=" in word or is_switch[word]:
                flags.append(word)
            elif (value := next(left, None)) is not None:
                flags += [word, value]
            else:
                # The last word has no value: before the rest it would take one from there.
                return words
        return [*flags, *rest]

    @property
    def _hint(self) -> str:
        return f"`{self.prog} --help` shows what it takes."

    def _sentence(self, message: str) -> InvalidConfigError:
        if missing := _VALUE_MISSING.match(message):
            flag = missing["flag"].split("/")[0]
            return InvalidConfigError(f"`{flag}` needs a value.", self._hint)
        if missing := _ARGUMENT_MISSING.match(message):
            return InvalidConfigError(f"`{self.prog}` needs {missing['names']}.", self._hint)
        return InvalidConfigError(f"`{self.prog}`: {message}.", self._hint)

    def _unknown(self, words: Sequence[str]) -> InvalidConfigError:
        flags = [word.split("=")[0] for word in words if word.startswith("-")]
        if not flags:
            return InvalidConfigError(f"`{self.prog}` does not take {words[0]!r}.", self._hint)
        said = " and ".join(f"`{flag}`" for flag in flags)
        near = [
            close for flag in flags for close in difflib.get_close_matches(flag, self.flags(), 1)
        ]
        meant = f": did you mean {' and '.join(f'`{flag}`' for flag in near)}?" if near else "."
        verb = "is not a setting" if len(flags) == 1 else "are not settings"
        return InvalidConfigError(f"{said} {verb} of `{self.prog}`{meant}", self._hint)


class _AskForHelp(Action):
    """`--help`, also where required arguments are missing."""

    def __init__(self, option_strings: Sequence[str], dest: str, **rest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=rest.get("help"))

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,  # noqa: ARG002 - argparse's signature, here and below
        values: object,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        raise HelpAsked(parser.format_help())


def _join_negative_numbers(words: Sequence[str]) -> list[str]:
    """Write `--learning-rate -1e-3` with `=`: argparse would take the number for a flag."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and _NEGATIVE_NUMBER.fullmatch(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def split_line(line: str) -> list[str]:
    """Split a line as a shell does.

    Raises:
        InvalidConfigError: A quotation mark has no partner.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InvalidConfigError(
            "A quotation mark in this line has no partner.", f"The line is: {line.strip()}"
        ) from error


def add_run_settings(
    parser: ArgumentParser, only: Collection[str] | None = None, *, repeated: bool = False
) -> None:
    """Add one flag for each field of `RunConfig`, or for `only` some of them.

    `repeated` lets each be given several times; `grid_settings` reads them.
    """
    from twinkle_jupyter.config.run_config import RunConfig

    group = parser.add_argument_group("settings of the run")
    for name, field in RunConfig.model_fields.items():
        if only is not None and name not in only:
            continue
        is_many = field.default == ()
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            metavar=_metavar(field),
            action="append" if is_many or repeated else "store",
            help=_help(field),
        )


def run_settings(namespace: Namespace) -> dict[str, object]:
    """Return the settings that were given, as strings (a list of them where repeated)."""
    prefix = "setting_"
    return {
        name.removeprefix(prefix): _AsTyped(value) if isinstance(value, str) else value
        for name, value in vars(namespace).items()
        if name.startswith(prefix) and value is not None
    }


def grid_settings(
    namespace: Namespace, whole: Collection[str]
) -> tuple[dict[str, object], dict[str, list[object]]]:
    """Return settings that were given one value, and values of those that were given several.

    Values are repeated or stand between commas, but for those of `whole`, which may have commas.
    """
    single: dict[str, object] = {}
    grid: dict[str, list[object]] = {}
    given = run_settings(namespace)
    # Members are named in this order: what is varied most stands first.
    for name in sorted(given, key=lambda name: name != "learning_rate"):
        words = given[name]
        if not isinstance(words, list):
            continue
        if name in whole:
            single[name] = words
            continue
        values: list[object] = [
            _AsTyped(part.strip()) for word in words for part in word.split(",")
        ]
        if len(values) > 1:
            grid[name] = values
        else:
            single[name] = values[0]
    return single, grid


class _AsTyped(str):
    """A word of the line; messages show it as it was typed, without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self) or "''"


def _metavar(field: FieldInfo) -> str:
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    return "{" + ",".join(choices) + "}" if choices else "VALUE"


def _help(field: FieldInfo) -> str:
    said = (field.description or "").replace("%", "%%")
    if field.default in (None, ()):
        return said
    return f"{said} (if not set: {field.default})"
