"""How many bytes each user's runs and adapters have on disk.

Checkpoints share files by hard links: a file counts once, for whoever comes first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A folder with all below it, and whose it is."""

    owner: str
    folder: Path


def count_bytes(folders: Iterable[OwnedFolder]) -> Counter[str]:
    """Return the bytes of each owner's folders; blocks for as long as the disk takes."""
    found: Counter[str] = Counter()
    seen: set[tuple[int, int]] = set()
    for one in folders:
        found[one.owner] += sum(_sizes(one.folder, seen))
    return found


def _sizes(folder: Path, seen: set[tuple[int, int]]) -> Iterable[int]:
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(place, name))  # noqa: PTH118 - many files
            except OSError:
                continue  # deleted since
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield status.st_size
