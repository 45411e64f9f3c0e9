"""State of an earlier service under other settings, and its end."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import pytest

from twinkle_jupyter.cli.main import main
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import ConfigDriftError, ConflictError
from twinkle_jupyter.launch.lease import Lease
from twinkle_jupyter.launch.stored_state import check_stored_state, clear_state
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.auth import asker_of_key, create_key
from twinkle_jupyter.store.sqlite import SqliteStore


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()


async def _begin(config: ServiceConfig) -> str:
    """Have stored state that was made with these settings; return a key of its."""
    await check_stored_state(config, is_alone=True)
    store = SqliteStore.open(config.store_path)
    key = await create_key(store, "ada")
    await store.put("run/one", {"state": "running"})
    await store.append("run/one", {"kind": "step"})
    await store.close()
    config.run_folder("one").mkdir(parents=True)
    return key


async def _stored(config: ServiceConfig, key: str) -> tuple[bool, bool, bool]:
    """Tell whether the run, its folder and the key are there."""
    store = SqliteStore.open(config.store_path)
    run = await store.get("run/one")
    has_run = run is not None and await store.last_position("run/one") == 1
    asker = await asker_of_key(store, key)
    await store.close()
    return has_run, config.run_folder("one").exists(), asker == Asker("ada")


async def test_a_service_does_not_start_over_state_of_other_settings() -> None:
    old = ServiceConfig.load(trainer={"dtype": "float32"})
    key = await _begin(old)
    await check_stored_state(old, is_alone=True)
    new = ServiceConfig.load(trainer={"dtype": "bfloat16"})
    with pytest.raises(ConfigDriftError, match=r"trainer\.dtype: stored float32, now bfloat16"):
        await check_stored_state(new, is_alone=True)
    with pytest.raises(ConfigDriftError, match="--on-drift warn"):
        await check_stored_state(new, is_alone=True)  # it was not taken for granted the first time
    assert await _stored(new, key) == (True, True, True)
    warned = new.model_copy(update={"on_drift": "warn"})
    with pytest.raises(ConfigDriftError):
        await check_stored_state(warned, is_alone=False)  # beside a service of the old ones
    await check_stored_state(warned, is_alone=True)
    await check_stored_state(new, is_alone=True)  # from now on these are its settings
    assert await _stored(new, key) == (True, True, True)


async def test_what_is_stored_goes_when_that_is_said_but_keys_stay() -> None:
    key = await _begin(ServiceConfig.load(trainer={"dtype": "float32"}))
    new = ServiceConfig.load(trainer={"dtype": "bfloat16"}, on_drift="clear")
    await check_stored_state(new, is_alone=True)
    assert await _stored(new, key) == (False, False, True)


async def test_nothing_is_cleared_under_a_service_that_runs() -> None:
    config = ServiceConfig.load()
    key = await _begin(config)
    lease = Lease.take(config.lock_path)
    assert lease is not None
    with pytest.raises(ConflictError, match="A training service is running"):
        await clear_state(config)
    assert await _stored(config, key) == (True, True, True)
    lease.release()
    await clear_state(config)
    assert await _stored(config, key) == (False, False, True)


def test_the_command_line_tells_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("trainer: {dtype: float32}\n", encoding="utf-8")
    bad.write_text("trainer: {dtype: float16}\n", encoding="utf-8")
    assert main(["check-config", str(good)]) == 0
    assert main(["check-config", str(bad)]) == 2
    assert "`trainer.dtype='float16'` is not one of" in capsys.readouterr().err
    assert main(["check-config", str(good), "--http.port", "70000"]) == 2
    # A service of these settings has stored something.
    config = ServiceConfig.load(good)
    asyncio.run(check_stored_state(config, is_alone=True))
    assert main(["check-config", str(good)]) == 0
    assert main(["check-config", str(good), "--trainer.dtype", "bfloat16"]) == 3
    assert main(["serve", "--config", str(good), "--trainer.dtype", "bfloat16"]) == 3
    assert "stored float32, now bfloat16" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["clear", "persistence"]) == 2
    assert "Say `--yes`" in capsys.readouterr().err
    assert main(["clear", "persistence", "--yes"]) == 0
    assert main(["check-config", str(good), "--trainer.dtype", "bfloat16"]) == 0
