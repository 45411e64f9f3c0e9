"""The commands of whoever runs a service: serve it, look at its settings, clear what it stored."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from twinkle_jupyter.cli.service_flags import add_service_flags, load_config
from twinkle_jupyter.config.config_text import write_config, write_example
from twinkle_jupyter.errors import InvalidConfigError


def serve(words: list[str]) -> int:
    """Run the service in the foreground."""
    parser = ArgumentParser("twinkle serve", description=serve.__doc__, allow_abbrev=False)
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when whoever started it is gone"
    )
    parser.add_argument(
        "--replica", action="store_true", help="answer beside the service that has this home"
    )
    add_service_flags(parser)
    given = parser.parse_args(words)
    from twinkle_jupyter.launch import serve as service

    config = load_config(given)
    service.serve(config, until_stdin_closes=given.until_stdin_closes, replica=given.replica)
    return 0


def check_config(words: list[str]) -> int:
    """Say what is wrong with the settings, or that nothing is; compare them with what is stored."""
    parser = ArgumentParser(
        "twinkle check-config", description=check_config.__doc__, allow_abbrev=False
    )
    parser.add_argument("file", nargs="?", type=Path, help="YAML file with settings")
    add_service_flags(parser)
    given = parser.parse_args(words)
    given.config = given.config or given.file
    config = load_config(given)
    from twinkle_jupyter.launch.stored_state import drift_error, read_drift

    if drift := asyncio.run(read_drift(config)):
        raise drift_error(drift)
    sys.stdout.write("The settings are fine, and stored state, if any, fits them.\n")
    return 0


def print_config(words: list[str]) -> int:
    """Print the settings as they are, or an example file with all of them explained."""
    parser = ArgumentParser(
        "twinkle print-config", description=print_config.__doc__, allow_abbrev=False
    )
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", dest="form")
    parser.add_argument("--example", action="store_true", help="all defaults, with their meaning")
    add_service_flags(parser)
    given = parser.parse_args(words)
    sys.stdout.write(
        write_example() if given.example else write_config(load_config(given), given.form)
    )
    return 0


def clear(words: list[str]) -> int:
    """Delete what a service has stored: runs, adapters, checkpoints. API keys stay."""
    parser = ArgumentParser("twinkle clear", description=clear.__doc__, allow_abbrev=False)
    parser.add_argument("what", choices=("persistence",))
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_service_flags(parser)
    given = parser.parse_args(words)
    config = load_config(given)
    from twinkle_jupyter.launch.stored_state import clear_state

    place = f"{config.home}{'' if config.store is None else ' and the Redis store'}"
    _make_sure(given, f"This deletes all runs, adapters and checkpoints in {place}.")
    os.umask(0o077)  # the new store is its owner's only, too
    asyncio.run(clear_state(config))
    sys.stdout.write(f"Cleared {place}.\n")
    return 0


def _make_sure(given: Namespace, what: str) -> None:
    if given.yes:
        return
    if not sys.stdin.isatty():
        raise InvalidConfigError(f"{what} Nobody is there to ask.", "Say `--yes`.")
    sys.stdout.write(f"{what} Type `yes` to go on: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise InvalidConfigError("Nothing was deleted.")
