"""Settings of the service: where they come from, and its folders."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from twinkle_jupyter.config.limits import Limits
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.errors import InvalidConfigError


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_HOME", str(tmp_path))


def test_arguments_come_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINKLE_PORT", "8765")
    monkeypatch.setenv("TWINKLE_LOG_LEVEL", "debug")
    monkeypatch.setenv("TWINKLE_URL", "http://of-the-client")
    config = ServiceConfig.load(port=9)
    assert (config.home, config.port, config.log_level) == (tmp_path, 9, "debug")


def test_paths_follow_from_home(tmp_path: Path) -> None:
    config = ServiceConfig.load()
    paths = (config.store_path, config.lock_path, config.log_path)
    assert paths == tuple(tmp_path / n for n in ("store.sqlite3", "service.lock", "service.log"))
    folder = tmp_path / "artifacts" / "runs" / "run_a" / "checkpoints" / "step-000010"
    assert config.checkpoint_folder("run_a", "step-000010") == folder


def test_the_store_is_a_file_or_a_server_whose_password_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ServiceConfig.load().store_address == tmp_path / "store.sqlite3"
    url = "rediss://ada:sesame@redis.lab:6380/2"
    monkeypatch.setenv("TWINKLE_STORE", url)
    config = ServiceConfig.load()
    assert config.store_address == url
    assert config.as_environment()["TWINKLE_STORE"] == url
    assert "sesame" not in f"{config!r} {config} {config.model_dump_json()}"
    for wrong in ("ftp://ada:sesame@host", "ada:sesame", "redis://"):
        with pytest.raises(InvalidConfigError, match="`store`: must be the URL of") as caught:
            ServiceConfig.load(store=wrong)
        assert "sesame" not in f"{caught.value!r} {caught.value.__cause__}"


def test_every_mistake_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_PORT", "http")
    with pytest.raises(InvalidConfigError) as caught:
        ServiceConfig.load(prot=1, log_level="loud", num_threads=0)
    assert caught.value.message == (
        "`port='http'` is not a whole number. "
        "`log_level='loud'` is not one of 'debug', 'info', 'warning' or 'error'. "
        "`num_threads=0` is not at least 1. "
        "`prot` is not a setting; did you mean `port`?"
    )


def test_another_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ServiceConfig.load(
        port=9,
        num_threads=3,
        dtype="bfloat16",
        token_budget=512,
        gradient_checkpointing="on",
        max_active_adapters=8,
        max_adapters=16,
        host_memory_for_adapters=0,
        limits={"adapters": 4, "tokens_per_minute": 9000},
    )
    for name, value in config.as_environment().items():
        monkeypatch.setenv(name, value)
    assert ServiceConfig.load() == config
    assert config.trainer == TrainerSettings("bfloat16", 512, "on", 8, 16, 0)


def test_limits_are_none_unless_set_each_by_a_variable_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not ServiceConfig.load().limits.are_set
    assert all("0 is no limit" in (one.description or "") for one in Limits.model_fields.values())
    monkeypatch.setenv("TWINKLE_LIMITS__TOKENS_PER_MINUTE", "9000")
    monkeypatch.setenv("TWINKLE_LIMITS__ADAPTERS", "4")
    assert ServiceConfig.load().limits == Limits(tokens_per_minute=9000, adapters=4)
    monkeypatch.setenv("TWINKLE_LIMITS__ADAPTERS", "-1")
    monkeypatch.setenv("TWINKLE_LIMITS__TOKENS", "1")
    with pytest.raises(InvalidConfigError) as caught:
        ServiceConfig.load()
    assert caught.value.message == (
        "`limits.adapters='-1'` is not at least 0. `limits.tokens` is not a setting."
    )


def test_a_trainer_has_the_same_defaults_without_a_service() -> None:
    assert ServiceConfig.load().trainer == TrainerSettings()


def test_an_engine_that_is_not_installed_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InvalidConfigError, match=r"sampler_engine.*pip install 'twinkle-jupyter"):
        ServiceConfig.load(sampler_engine="vllm")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    assert ServiceConfig.load(sampler_engine="vllm").trainer.sampler_engine == "vllm"
