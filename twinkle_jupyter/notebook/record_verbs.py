"""Repeating a run: its record out, and a run from a record."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.session import Session, Table

if TYPE_CHECKING:
    from twinkle_jupyter.config.run_record import RunRecord
    from twinkle_jupyter.datasets.run_rows import RunRows

#: Settings that may be given with a record: the curve does not depend on them.
_FREE = frozenset({"adapter", "base_model"})
_SHOWN_DIGITS = 12


def add_record_arguments(parser: ArgumentParser) -> None:
    """Take a run, and where to."""
    parser.add_argument("name", help="a run or its adapter")
    parser.add_argument(
        "--to", metavar="FOLDER", help="write run.json and records.jsonl; must not exist yet"
    )


def record(session: Session, arguments: Namespace) -> None:
    """Show what a run depends on, or write it with its rows into a folder."""
    client = session.service.running()
    found = client.record(arguments.name)
    if arguments.to is None:
        session.face.table(Table(f"Record of {found.run_id}", (), _rows(found)))
        return
    from twinkle_jupyter.config.run_record import RECORD_FILE, RECORDS_FILE
    from twinkle_jupyter.store.whole_folder import write_whole

    rows = client.records(arguments.name)
    folder = Path(arguments.to).expanduser().absolute()

    def write(target: Path) -> None:
        (target / RECORD_FILE).write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (target / RECORDS_FILE).write_bytes(rows)

    write_whole(folder, write)
    session.face.note(f"`{session.prefix} train --from {folder}` repeats run {found.run_id}.")


def load_record(
    session: Session, path: str, given: Mapping[str, object], *, has_data: bool
) -> tuple[RunRecord, RunRows]:
    """Read a record and the rows beside it.

    Args:
        session: Is told of what differs here.
        path: Of the record, or of its folder.
        given: Settings that were given besides.
        has_data: Whether data were named.

    Raises:
        InvalidConfigError: It is no record, or what was given would make another curve.
        InvalidDataError: The rows are not there, or others.
    """
    from twinkle_jupyter.config.run_record import RECORDS_FILE, read_record
    from twinkle_jupyter.datasets.run_rows import load_rows
    from twinkle_jupyter.runs.input_digests import read_versions

    found = read_record(Path(path))
    found.check_repeatable()
    others = [f"--{name.replace('_', '-')}" for name in given if name not in _FREE]
    if others or has_data:
        what = ", ".join(f"`{flag}`" for flag in others) or "data"
        raise InvalidConfigError(
            f"{what} cannot be given with `--from`: it would be another curve.",
            "Only --adapter, --base-model and --wait can.",
        )
    file = Path(path).expanduser()
    rows = (file if file.is_dir() else file.parent) / RECORDS_FILE
    data = load_rows(rows, str(found.config.get("loss", "")))
    differing = [
        f"{name} {ours} (recorded: {found.versions[name]})"
        for name, ours in read_versions().items()
        if found.versions.get(name, ours) != ours
    ]
    if differing:
        session.face.note(f"The curve may differ in its last digits: {', '.join(differing)}.")
    return found, data


def _rows(found: RunRecord) -> list[tuple[str, str]]:
    outcome = found.outcome
    ended = "goes on" if outcome is None else f"{outcome.state} after step {outcome.step}"
    digests = {
        "rows": found.data.sha256,
        "base model": found.base_model.sha256,
        "chat template": found.base_model.template_sha256,
        **({"curve": outcome.curve_sha256} if outcome else {}),
    }
    changes = [
        f"step {one.step}: " + ", ".join(f"{name}={value}" for name, value in one.changes.items())
        for one in found.steering
    ]
    return [
        ("adapter", found.adapter),
        ("state", ended),
        *((f"{what}, SHA-256", digest[:_SHOWN_DIGITS]) for what, digest in digests.items()),
        ("steering", "; ".join(changes) or "none"),
        ("versions", ", ".join(f"{name} {number}" for name, number in found.versions.items())),
        *((("went on from", found.parent),) if found.parent else ()),
    ]
