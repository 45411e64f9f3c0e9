"""A Python module run in a process that ends when its parent does, however that ended.

`python -P -m twinkle_jupyter.launch.tied_process PARENT MODULE ARGUMENT …` runs MODULE as the main
program. A thread looks once a second whether the parent is still PARENT, so that a killed notebook
server leaves no download behind.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from twinkle_jupyter.actors.parent_watch import end_with_parent

_PACKAGE_PARENT = Path(__file__).parents[2]


def start_tied(
    arguments: list[str], environment: Mapping[str, str], stderr: IO[bytes]
) -> subprocess.Popen[str]:
    """Start `python -m ARGUMENTS` tied to this process.

    Args:
        arguments: Module and its arguments.
        environment: Added to this process's own.
        stderr: Where its error output goes.

    Returns:
        The process, with its standard output as a text pipe; the caller ends and reaps it.
    """
    command, own = tied_command(arguments)
    return subprocess.Popen(
        command,
        env=own | dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def tied_command(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the whole environment of `python -m ARGUMENTS` tied to this."""
    path = os.environ.get("PYTHONPATH", "")
    command = [
        sys.executable,
        # A notebook's folder may hold a random.py of its own.
        "-P",
        *("-m", __name__),
        str(os.getpid()),
        *arguments,
    ]
    own_path = f"{_PACKAGE_PARENT}{os.pathsep}{path}".rstrip(os.pathsep)
    return command, os.environ | {"PYTHONPATH": own_path}


def main(arguments: list[str]) -> None:
    """Run the module `arguments[1]` with the rest, until the process `arguments[0]` ends."""
    parent, module, *rest = arguments
    end_with_parent(int(parent))
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
