"""Everything that a run's curve depends on, in one file: `run.json`, with which it is repeated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from twinkle_jupyter.errors import InvalidConfigError

RECORD_FILE = "run.json"
RECORDS_FILE = "records.jsonl"

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordedData(_Part):
    """The rows, which lie beside the record in `records.jsonl`."""

    #: SHA-256 of their canonical JSON.
    sha256: _Digest
    num_rows: int = Field(ge=1)


class RecordedBaseModel(_Part):
    """The base model that was there."""

    name: str
    #: SHA-256 over configuration, tokenizer and weights.
    sha256: _Digest
    #: SHA-256 of the chat template's text.
    template_sha256: _Digest


class RecordedSteering(_Part):
    """A change while the run was going on."""

    #: The first step with it.
    step: int = Field(ge=1)
    changes: dict[str, JsonValue]


class RecordedOutcome(_Part):
    """How the run ended."""

    state: Literal["finished", "stopped", "failed"]
    #: Steps taken.
    step: int = Field(ge=0)
    #: Of the newest step.
    loss: float | None
    #: SHA-256 over every step's loss, as hexadecimal floats: equal curves have equal ones.
    curve_sha256: _Digest


class RunRecord(_Part):
    """One run. What is not in here, the curve does not depend on."""

    format: Literal[1] = 1
    run_id: str
    adapter: str
    #: ISO 8601, UTC.
    created_at: str
    #: `RunConfig` with every default filled in, as the run began.
    config: dict[str, JsonValue]
    data: RecordedData
    base_model: RecordedBaseModel
    #: The step of another run that this one went on from; empty for one from nothing.
    parent: str = ""
    #: Packages, by name.
    versions: dict[str, str]
    #: What computes: architecture, number type, threads.
    machine: dict[str, str]
    #: In the order in which it took effect.
    steering: tuple[RecordedSteering, ...] = ()
    #: None while the run goes on.
    outcome: RecordedOutcome | None = None

    def check_repeatable(self) -> None:
        """See that the run began with nothing that is not in the record.

        Raises:
            InvalidConfigError: It went on from another one.
        """
        if self.parent:
            raise InvalidConfigError(
                f"Run {self.run_id} went on from {self.parent}, whose weights are not in its"
                " record.",
                f"`%twinkle fork {self.parent.partition('@')[0]}` goes on from there again.",
            )


def read_record(path: Path) -> RunRecord:
    """Read a record, or that of a folder.

    Raises:
        InvalidConfigError: There is none, or it is of another release.
    """
    path = path.expanduser()
    file = path / RECORD_FILE if path.is_dir() else path
    try:
        return parse_record(json.loads(file.read_bytes()), str(file))
    except OSError as error:
        raise InvalidConfigError(f"There is no record at `{path}`: {error.strerror}.") from error
    except ValueError as error:
        if isinstance(error, InvalidConfigError):
            raise
        raise InvalidConfigError(f"`{file}` is not JSON.") from error


def parse_record(value: object, name: str) -> RunRecord:
    """Read a record from JSON.

    Args:
        value: What it is said to be.
        name: What messages call it.

    Raises:
        InvalidConfigError: It is none, or of another release.
    """
    try:
        return RunRecord.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise InvalidConfigError(
            f"`{name}` is no record of a run that this release can repeat: `{place}`:"
            f" {first['msg'][:1].lower()}{first['msg'][1:]}.",
            "`twinkle record RUN --to FOLDER` writes one.",
        ) from error
