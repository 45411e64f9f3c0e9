"""Says whether the committed bundle was built from the sources beside it.

`jlpm build:prod` runs this with `--record` after building. Two builds of the same sources differ in
bytes (module ids follow the folder), so the sources are compared, not the output.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent / "twinkle_jupyter" / "labextension" / "source_hash.json"
FOLDERS = ("src", "style", "schema")
FILES = ("package.json", "tsconfig.json", "yarn.lock")


def hash_sources(root: Path) -> str:
    """Return the SHA-256 over path and content of everything that goes into the bundle."""
    paths = [root / name for name in FILES]
    for folder in FOLDERS:
        found = (root / folder).rglob("*")
        paths += [path for path in found if path.is_file() and "__tests__" not in path.parts]
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.relative_to(root).as_posix()):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def find_problem(root: Path = HERE, record: Path = RECORD) -> str:
    """Return what is wrong with the recorded hash in one sentence, or nothing."""
    build = "build it with `jlpm install && jlpm build:prod` in labextension/"
    if not record.is_file():
        return f"The bundle has no {record.name}: {build}."
    recorded = json.loads(record.read_text(encoding="utf-8")).get("sha256")
    if recorded != hash_sources(root):
        return f"The committed bundle is older than labextension/src: {build} and commit it."
    return ""


def main() -> int:
    """Check, or record with `--record`; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the hash of the sources")
    if parser.parse_args().record:
        RECORD.write_text(json.dumps({"sha256": hash_sources(HERE)}) + "\n", encoding="utf-8")
        return 0
    problem = find_problem()
    if problem:
        sys.stderr.write(f"{problem}\n")
    return 1 if problem else 0


if __name__ == "__main__":
    raise SystemExit(main())
