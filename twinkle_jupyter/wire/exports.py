"""Bodies of exports and imports, as `docs/reference/native-api.md` has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ExportFormat = Literal["peft", "merged", "gguf"]
WeightType = Literal["F32", "F16", "Q8_0"]
ExportState = Literal["running", "finished", "failed", "cancelled"]
_Folder = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class StartExportBody(BaseModel):
    """What is to be written, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: ExportFormat
    #: Absolute, on the service's machine; not there yet, or empty.
    folder: _Folder
    #: None takes the run's checkpoint.
    step: int | None = Field(default=None, ge=0)
    #: Of a GGUF file's matrices.
    weight_type: WeightType = "F16"


class ExportBody(BaseModel):
    """One export, and how far it is."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    export_id: str
    adapter: str
    run_id: str
    step: int
    format: ExportFormat
    folder: str
    state: ExportState
    #: 0 to 1.
    fraction: float
    size_bytes: int
    #: Why it failed, in one sentence; else empty.
    message: str
    hint: str
    created_at: str


class ImportBody(BaseModel):
    """An adapter of PEFT's to be taken in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Absolute, on the service's machine.
    folder: _Folder
    #: The base model that it was trained on; None is the service's own.
    base_model: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
