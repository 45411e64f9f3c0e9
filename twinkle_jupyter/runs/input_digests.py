"""Digests of what a run begins with, and versions of what computes it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from twinkle_jupyter.config.run_record import RecordedBaseModel, RecordedData
from twinkle_jupyter.datasets.records import fingerprint
from twinkle_jupyter.runs.batches import read_lines
from twinkle_jupyter.templates.chat_template import ChatTemplate

_PACKAGES = ("twinkle-jupyter", "torch", "transformers", "tokenizers", "numpy", "safetensors")
#: Files of a base model that its numbers depend on.
_KINDS = ("*.safetensors", "config.json", "tokenizer*.json", "*.jinja", "special_tokens_map.json")
#: Base models whose digests are kept.
_MAX_KEPT = 16


def digest_data(records: Path) -> RecordedData:
    """Return the digest of a run's rows."""
    rows = read_lines(records)
    return RecordedData(sha256=fingerprint(rows), num_rows=len(rows))


def digest_base_model(name: str, folder: Path, template: ChatTemplate) -> RecordedBaseModel:
    """Return the digest of a base model; reads all of it the first time: half a second a GB."""
    stamps = []
    for path in sorted({path for kind in _KINDS for path in folder.glob(kind)}):
        status = path.stat()
        stamps.append((path.name, status.st_size, status.st_mtime_ns))
    template_sha256 = hashlib.sha256(template.source.encode()).hexdigest()
    sha256 = _digest_files(folder, tuple(stamps))
    return RecordedBaseModel(name=name, sha256=sha256, template_sha256=template_sha256)


@lru_cache(_MAX_KEPT)
def _digest_files(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for name, size, _ in stamps:
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{name}\0{size}\0{digest}\n".encode())
    return whole.hexdigest()


def read_versions() -> Mapping[str, str]:
    """Return the versions of what a curve depends on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # run from its sources
            continue
    return versions
