"""Back up a training service while it runs: `python backup.py HOME TARGET`, no package needed.

TARGET must not exist, and lies on the file system of HOME: weights are linked, which takes no room
and no time. Copy or archive it from there at leisure; nothing in it changes any more. To restore,
put it in the place of HOME while no service runs. docs/operators/backup.md says why that is safe.
"""

import os
import shutil
import sqlite3
import sys
from pathlib import Path

STORE = "store.sqlite3"
#: Files that go as they are: keys and settings. Logs, locks and addresses are the process's own.
_KEPT = ("local.key", "config.yaml")
#: Larger files are written once and never changed: they may be linked.
_SMALL_BYTES = 65_536
#: Written to where it lies: a link would change with it.
_GROWING = {"reference.bin"}


def back_up(home: Path, target: Path) -> None:
    """Write a backup that a service goes on from as after a power cut."""
    target.mkdir(mode=0o700)
    # Before and after the store: what its rows name is in one of the two, however old files go.
    copy_new(home / "artifacts", target / "artifacts")
    copy_store(home / STORE, target / STORE)
    copy_new(home / "artifacts", target / "artifacts")
    for name in _KEPT:
        if (home / name).exists():
            shutil.copy2(home / name, target / name)


def copy_store(source: Path, target: Path) -> None:
    """Copy the store as it is at one moment, beside its writers."""
    reading = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    writing = sqlite3.connect(target)
    with reading, writing:
        reading.backup(writing)
    reading.close()
    writing.close()
    target.chmod(0o600)


def copy_new(source: Path, target: Path) -> None:
    """Link what is not there yet; what goes away meanwhile was not meant to stay."""
    for place, _, names in os.walk(source):
        there = target / Path(place).relative_to(source)
        there.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            file, copy = Path(place, name), there / name
            try:
                is_small = file.stat().st_size < _SMALL_BYTES
                if is_small or name in _GROWING:
                    shutil.copy2(file, copy)
                elif not copy.exists():
                    os.link(file, copy)
            except FileNotFoundError:
                continue


if __name__ == "__main__":
    back_up(Path(sys.argv[1]), Path(sys.argv[2]))
