"""What only one of several service processes may do to an adapter at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters


def test_an_adapter_that_was_put_away_is_loaded_once_whoever_needs_it(
    live: LiveService, anna: TinkerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = anna.create_model()
    anna.result(anna.forward_backward(model, 1).json()["request_id"])
    anna.result(anna.post("unload_model", model_id=model).json()["request_id"])
    assert live.compute is not None
    trainer = live.compute.trainer
    load, loads = trainer.load_adapter, []

    async def load_slowly(adapter_id: AdapterId, folder: str, **how: bool | str) -> int:
        loads.append(adapter_id)
        await asyncio.sleep(0.3)
        return await load(adapter_id, folder, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer, "load_adapter", load_slowly)

    async def need_it_everywhere() -> None:
        processes = [ClientAdapters(live.app.state.parts) for _ in range(3)]
        row = await processes[0].get("anna", model)
        made = await asyncio.gather(*(one.made(row) for one in processes))
        assert [(one.is_made, one.to_load) for one in made] == [(True, {})] * 3

    live.call(need_it_everywhere())
    assert loads == [model]
    step = anna.result(anna.optim_step(model, 2).json()["request_id"])
    assert isinstance(step["metrics"], dict)
    assert step["metrics"]["grad_norm"] > 0  # the gradient came back with it


@pytest.mark.parametrize("is_parked", [True, False])
def test_weights_that_are_loaded_while_the_adapter_is_put_away_are_loaded(
    live: LiveService, anna: TinkerUser, monkeypatch: pytest.MonkeyPatch, is_parked: bool
) -> None:
    model = anna.create_model()
    anna.result(anna.forward_backward(model, 1).json()["request_id"])
    saved = anna.result(
        anna.post("save_weights", model_id=model, seq_id=2, path="a").json()["request_id"]
    )
    anna.result(anna.optim_step(model, 3).json()["request_id"])
    assert live.compute is not None
    trainer = live.compute.trainer
    park, begun, may_go_on = trainer.park, threading.Event(), asyncio.Event()

    async def park_slowly(adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        begun.set()
        await may_go_on.wait()
        return await park(adapter_id, folder, next_id if is_parked else next_id - 1)

    monkeypatch.setattr(trainer, "park", park_slowly)
    adapters = live.app.state.tinker.adapters
    with ThreadPoolExecutor(2) as threads:
        away = threads.submit(live.call, adapters.put_away(live.call(adapters.get("anna", model))))
        assert begun.wait(10)
        load = threads.submit(
            anna.post, "load_weights", model_id=model, seq_id=4, path=saved["path"]
        )
        time.sleep(0.3)  # it has come, and waits
        live.call(_set(may_go_on))
        assert away.result(20) is is_parked
        loaded = anna.result(load.result(20).json()["request_id"])
    assert loaded["type"] == "load_weights"
    # The weights before the step, without its optimizer: the step is the first one again.
    step = anna.result(anna.optim_step(model, 5).json()["request_id"])
    assert isinstance(step["metrics"], dict)
    assert step["metrics"]["step"] == 1


async def _set(event: asyncio.Event) -> None:
    event.set()
