"""Adapters of a client that is gone: on disk, in no slot, and back with their next op."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from typing import cast

import pytest

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SessionRow
from twinkle_jupyter.store.interface import Row


def _look(live: LiveService) -> None:
    live.call(live.app.state.tinker.keeper.look())


def _is_trained(live: LiveService, model: str) -> bool:
    assert live.compute is not None
    return live.call(live.compute.trainer.position(AdapterId(model))) is not None


def _metrics(anna: TinkerUser, request_id: str) -> dict[str, float]:
    metrics = cast("dict[str, float]", anna.result(request_id)["metrics"])
    return {name: value for name, value in metrics.items() if not name.endswith("seconds")}


def _pass(anna: TinkerUser, model: str, number: int) -> dict[str, float]:
    return _metrics(anna, anna.forward_backward(model, number).json()["request_id"])


def _step(anna: TinkerUser, model: str, number: int) -> dict[str, float]:
    return _metrics(anna, anna.optim_step(model, number).json()["request_id"])


def test_the_adapter_of_a_finished_session_waits_on_disk_with_its_gradient(
    live: LiveService, anna: TinkerUser
) -> None:
    model, twin = anna.create_model(), anna.create_model()
    for each in (model, twin):
        _pass(anna, each, 1)
        _step(anna, each, 2)
        _pass(anna, each, 3)
    _look(live)
    assert _is_trained(live, model)
    # Both leave; the twin is back at once, and nothing of it was lost either.
    anna.post(f"sessions/{anna.session}/finish", reason={"type": "success"})
    _look(live)
    assert not _is_trained(live, model)
    assert _step(anna, model, 4) == _step(anna, twin, 4)
    assert _pass(anna, model, 5) == _pass(anna, twin, 5)
    parked = live.config.client_weights_folder(model, "parked", "-").parent
    assert not list(parked.iterdir())


def test_a_silent_session_is_over_until_it_is_heard_again(
    live: LiveService, anna: TinkerUser
) -> None:
    model = anna.create_model()
    _pass(anna, model, 1)

    def change(row: Row | None) -> Row:
        assert row is not None
        return SessionRow.from_row(row).changed(heard_at="2026-01-01T00:00:00+00:00").to_row()

    key = SessionRow.key("anna", anna.session)
    live.call(live.store.update(key, change))
    _look(live)
    assert not _is_trained(live, model)
    anna.post("session_heartbeat", session_id=anna.session).raise_for_status()
    assert _step(anna, model, 2)["step"] == 1
    _look(live)
    assert _is_trained(live, model)


def test_an_unloaded_model_comes_back_with_its_next_op(live: LiveService, anna: TinkerUser) -> None:
    model = anna.create_model()
    _pass(anna, model, 1)
    unloaded = anna.post("unload_model", model_id=model).json()["request_id"]
    assert anna.result(unloaded)["model_id"] == model
    assert not _is_trained(live, model)
    assert _step(anna, model, 2)["step"] == 1


def test_a_service_that_dies_while_it_puts_an_adapter_away_loses_nothing(
    live: LiveService, anna: TinkerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, twin = anna.create_model(), anna.create_model()
    for each in (model, twin):
        _pass(anna, each, 1)
    adapters = live.app.state.tinker.adapters
    row = live.call(adapters.get("anna", model))
    assert live.compute is not None
    park = live.compute.trainer.park

    async def park_and_die(adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        assert await park(adapter_id, folder, next_id)
        raise asyncio.CancelledError

    monkeypatch.setattr(live.compute.trainer, "park", park_and_die)
    with pytest.raises(CancelledError):
        live.call(adapters.put_away(row))
    monkeypatch.undo()
    assert not _is_trained(live, model)
    found = live.call(adapters.get("anna", model))
    assert isinstance(found, ClientAdapterRow)
    assert (found.to_load, bool(found.parked)) == ({}, True)
    assert _step(anna, model, 2) == _step(anna, twin, 2)
    assert live.call(adapters.get("anna", model)).parked == {}


def test_what_an_adapter_was_once_put_away_as_is_forgotten_when_it_trains_on(
    live: LiveService, anna: TinkerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = anna.create_model()
    _pass(anna, model, 1)
    adapters = live.app.state.tinker.adapters
    assert live.compute is not None
    park = live.compute.trainer.park

    async def write_and_die(adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        assert not await park(adapter_id, folder, next_id + 1)  # whole on disk, still in its slot
        raise asyncio.CancelledError

    monkeypatch.setattr(live.compute.trainer, "park", write_and_die)
    with pytest.raises(CancelledError):
        live.call(adapters.put_away(live.call(adapters.get("anna", model))))
    monkeypatch.undo()
    assert live.call(adapters.get("anna", model)).parked
    assert _step(anna, model, 2)["step"] == 1
    # From here on those weights are a step too old: nobody may go back to them.
    row = live.call(adapters.get("anna", model))
    assert row.parked == {}
    assert not live.call(adapters.found_again(row))


def test_an_op_that_comes_in_between_keeps_the_adapter_where_it_is(
    live: LiveService, anna: TinkerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = anna.create_model()
    _pass(anna, model, 1)
    adapters = live.app.state.tinker.adapters
    row = live.call(adapters.get("anna", model))
    assert live.compute is not None
    trainer = live.compute.trainer
    park = trainer.park

    async def be_late(adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        return await park(adapter_id, folder, next_id - 1)

    monkeypatch.setattr(trainer, "park", be_late)
    assert live.call(adapters.put_away(row)) is False
    assert _is_trained(live, model)
    assert _step(anna, model, 2)["step"] == 1
