"""The command line: what only a terminal can do, then the same verbs as the magic."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from twinkle_jupyter import __version__
from twinkle_jupyter.cli.terminal_words import as_typed
from twinkle_jupyter.errors import TwinkleError

#: Exit codes: fine, a mistake of ours or of the service, a mistake in what was asked, stored state
#: that was made with other settings.
OK, FAILED, WRONG_USE, DRIFT = 0, 1, 2, 3
_EXIT_CODES = {"invalid_config": WRONG_USE, "invalid_data": WRONG_USE, "config_drift": DRIFT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors are one sentence on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except TwinkleError as error:
        sys.stderr.write(f"{as_typed(str(error))} [{error.code}]\n")
        return _EXIT_CODES.get(error.code, FAILED)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("TWINKLE_DEBUG"):
            raise
        said = f"{type(error).__name__}: {error}".rstrip(".: ")
        sys.stderr.write(
            f"`twinkle {' '.join(words[:1])}` met an error of its own: {said}."
            " With TWINKLE_DEBUG=1 it shows where. [internal_error]\n"
        )
        return FAILED


def _run(words: list[str]) -> int:
    if words and words[0] in _COMMANDS:
        return _COMMANDS[words[0]](words[1:])
    if words and words[0] in ("--version", "-V"):
        sys.stdout.write(f"twinkle-jupyter {__version__}\n")
        return OK
    from twinkle_jupyter.cli.verbs import run_verb

    return run_verb(words)


def _serve(words: list[str]) -> int:
    from twinkle_jupyter.cli.service_commands import serve

    return serve(words)


def _check_config(words: list[str]) -> int:
    from twinkle_jupyter.cli.service_commands import check_config

    return check_config(words)


def _print_config(words: list[str]) -> int:
    from twinkle_jupyter.cli.service_commands import print_config

    return print_config(words)


def _keys(words: list[str]) -> int:
    from twinkle_jupyter.cli.key_commands import keys

    return keys(words)


def _admin(words: list[str]) -> int:
    from twinkle_jupyter.cli.admin_commands import admin

    return admin(words)


def _clear(words: list[str]) -> int:
    from twinkle_jupyter.cli.service_commands import clear

    return clear(words)


def _fetch(words: list[str]) -> int:
    parser = argparse.ArgumentParser("twinkle fetch", description="Bring a base model here.")
    from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL

    parser.add_argument("base_model", nargs="?", default=DEFAULT_BASE_MODEL)
    from rich.console import Console

    from twinkle_jupyter.cli.fetch_bar import fetch_with_bar

    folder = fetch_with_bar(parser.parse_args(words).base_model, Console(stderr=True))
    sys.stdout.write(f"{folder}\n")
    return OK


def _tutorial(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "twinkle tutorial",
        description="Open the first tutorial in JupyterLab; other options go to JupyterLab.",
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="where the notebooks go")
    known, others = parser.parse_known_args(words)
    from rich.console import Console

    from twinkle_jupyter.cli.tutorial import open_tutorial

    return open_tutorial(known.folder.absolute(), others, Console())


def _demo(words: list[str]) -> int:
    argparse.ArgumentParser(
        "twinkle demo", description="The main job in a terminal: before, training, after."
    ).parse_args(words)
    from rich.console import Console

    from twinkle_jupyter.cli.demo import run_demo

    return run_demo(Console())


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "serve": _serve,
    "check-config": _check_config,
    "print-config": _print_config,
    "clear": _clear,
    "keys": _keys,
    "admin": _admin,
    "fetch": _fetch,
    "tutorial": _tutorial,
    "demo": _demo,
}
