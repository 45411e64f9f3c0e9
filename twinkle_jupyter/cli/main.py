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

#: Exit codes: fine, a mistake of ours or of the service, a mistake in what was asked.
OK, FAILED, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors are one sentence on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except TwinkleError as error:
        sys.stderr.write(f"{as_typed(str(error))} [{error.code}]\n")
        return WRONG_USE if error.code in {"invalid_config", "invalid_data"} else FAILED
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
    parser = argparse.ArgumentParser("twinkle serve", description=_serve.__doc__)
    parser.add_argument("--host", help="address to listen on; 127.0.0.1 if not given")
    parser.add_argument("--port", help="0 takes any free port")
    parser.add_argument("--home", help="folder of all state")
    parser.add_argument("--base-model", help="the model that is loaded at once")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when whoever started it is gone"
    )
    parser.add_argument(
        "--replica", action="store_true", help="answer beside the service that has this home"
    )
    given = vars(parser.parse_args(words))
    until_stdin_closes, replica = bool(given.pop("until_stdin_closes")), bool(given.pop("replica"))
    from twinkle_jupyter.config.service_config import ServiceConfig
    from twinkle_jupyter.launch.serve import serve

    config = ServiceConfig.load(**{name: value for name, value in given.items() if value})
    serve(config, until_stdin_closes=until_stdin_closes, replica=replica)
    return OK


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
    parser.add_argument("--folder", type=Path, default=Path(), help="where the notebook goes")
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
    "fetch": _fetch,
    "tutorial": _tutorial,
    "demo": _demo,
}
