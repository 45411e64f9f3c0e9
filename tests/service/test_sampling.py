"""Answers over real sockets from the true engine on the tiny model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.live_service import RECORDS, LiveService
from twinkle_jupyter.client.client import Client, connect
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, NotFoundError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
    SaveCheckpoint,
)
from twinkle_jupyter.service import sampling
from twinkle_jupyter.store.records import RunRow

HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def live(tmp_path: Path, tiny_model: Path) -> Iterator[LiveService]:
    with LiveService(tmp_path / "home", tiny_model) as service:
        yield service


@pytest.fixture
def client(live: LiveService) -> Iterator[Client]:
    with connect() as opened:
        yield opened


async def _train(live: LiveService, run_id: str) -> str:
    """Take two steps as a driver would; return the adapter's id."""
    assert live.compute is not None
    row = await live.store.get(RunRow.key(run_id))
    assert row is not None
    adapter_id = AdapterId(str(row["adapter_id"]))
    trainer = live.compute.trainer
    await trainer.create_adapter(adapter_id, AdapterSpec(rank=4, alpha=8.0))
    example = Example.from_sequence(range(5, 25), [1.0] * 20)
    for step in range(2):
        await trainer.forward_backward(ForwardBackward(adapter_id, 2 * step + 1, (example,)))
        settings = AdamWSettings(learning_rate=0.1)
        await trainer.optim_step(OptimStep(adapter_id, 2 * step + 2, settings))
    return adapter_id


def _ask(client: Client, model: str, **settings: float) -> tuple[str, set[int | None]]:
    parts = list(client.sample(model, HI, max_tokens=8, **settings))
    assert parts[-1].finish_reason in {"stop", "length"}
    assert 1 <= parts[-1].num_tokens <= 8
    assert parts[-1].num_prompt_tokens > 0
    return "".join(part.text for part in parts), {part.version for part in parts}


def test_the_newest_weights_answer_while_they_train_and_after(
    live: LiveService, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "FIRST_WEIGHTS_S", 1.0)
    base = _ask(client, "base")
    assert base == _ask(client, "base")
    assert base[1] == {None}
    run_id = client.start_run({"adapter": "pirate", "base_model": "tiny"}, RECORDS).run_id
    with pytest.raises(ConflictError, match="Adapter 'pirate' has no weights yet: its run is que"):
        _ask(client, "pirate")
    adapter_id = AdapterId(live.call(_train(live, run_id)))
    training = _ask(client, "pirate")
    assert training[0] != base[0]
    assert training[1] == {2}

    folder = live.config.checkpoint_folder(run_id, "step-000002")
    folder.parent.mkdir()
    assert live.compute is not None
    live.call(live.compute.trainer.save_checkpoint(SaveCheckpoint(adapter_id, 5, str(folder))))
    live.change(run_id, state="finished", step=2, checkpoint="step-000002")
    live.call(live.compute.trainer.remove_adapter(adapter_id))
    live.call(live.compute.sampler.remove_adapter(adapter_id))
    assert _ask(client, "pirate") == training  # from its checkpoint
    assert _ask(client, run_id) == training
    client.delete_adapter("pirate")
    with pytest.raises(NotFoundError, match=r"no adapter 'pirate'\. There is only `base`"):
        _ask(client, "pirate")


def test_leaving_ends_the_answer(live: LiveService, client: Client) -> None:
    answer = client.sample("base", HI, max_tokens=30_000, temperature=5.0)
    next(answer)
    answer.close()

    async def wait_until_idle() -> bool:
        assert live.compute is not None
        for _ in range(200):
            if not [t for t in asyncio.all_tasks() if t.get_name().endswith("/samples")]:
                return True
            await asyncio.sleep(0.02)
        return False

    assert live.call(wait_until_idle())
    assert _ask(client, "base")[0]


def test_a_bad_question_is_one_sentence(client: Client) -> None:
    with pytest.raises(NotFoundError, match="There is no adapter 'pirate'"):
        _ask(client, "pirate")
    with pytest.raises(InvalidConfigError, match="`top_p=2` is more than 1") as caught:
        _ask(client, "base", top_p=2)
    assert caught.value.code == "invalid_request"
    with pytest.raises(InvalidConfigError, match=r"`messages\[0\].role='bot'` is not one of"):
        list(client.sample("base", [{"role": "bot", "content": "Hi"}]))
    with pytest.raises(InvalidConfigError, match=r"`messages=\[\]` has fewer than 1 entries"):
        list(client.sample("base", []))
