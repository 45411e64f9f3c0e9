"""How the tests are dealt out with `-n 2`: file by file, and what needs the machine to one worker.

Journeys with a browser or the real model go first, one after another; the rest runs beside them.
pytest-xdist 3.8 does not find its own groups with pytest 9.2, which keeps no node id to change.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from typing_extensions import override
from xdist.scheduler.loadscope import LoadScopeScheduling

_ROOT = Path(__file__).parents[1]
_NEEDS_MACHINE = re.compile(r"pytest\.mark\.(browser|model)\b")


@cache
def needs_machine(file: str) -> bool:
    """Whether a test file, named from the root, has to have the machine's better part."""
    is_journey = file.startswith("tests/journeys/")
    return is_journey and bool(_NEEDS_MACHINE.search((_ROOT / file).read_text(encoding="utf-8")))


class TwoAtATime(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker a whole file, or all that needs the machine."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "the machine" if needs_machine(file) else file
