"""A run with the loss dpo equals plain PEFT and torch with TRL's formula, row order and all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from tests.records import PAIRS
from tests.reference.plain_peft import (
    PEFT_WARNINGS,
    Trainee,
    load_plain_model,
    open_with_peft,
    row_logprobs,
    single_thread,
)
from tests.reference.side_by_side import open_engine, save
from tests.runs.conftest import LocalProvider, Workshop
from tests.runs.test_preferences import DPO
from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.datasets.example_source import ExampleSource
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.scheduling.request import AdapterSpec
from twinkle_jupyter.store.sqlite import SqliteStore
from twinkle_jupyter.templates.chat_template import ChatTemplate

pytestmark = PEFT_WARNINGS

NUM_STEPS = 8
BETA = 0.3
RATE = 0.005
#: Measured, of the loss: fp64 3e-16, fp32 1e-7; with room for other matmul kernels.
BOUNDS = {"float64": 1e-12, "float32": 1e-5}


@pytest.mark.parametrize("dtype", BOUNDS)
async def test_a_run_equals_plain_peft_with_trls_formula(
    tiny_model: Path, tmp_path: Path, dtype: str
) -> None:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    settings = TrainerSettings(dtype=dtype)  # type: ignore[arg-type]
    async with open_local_compute(tiny_model, base_model_name="tiny", settings=settings) as loaded:
        workshop = Workshop(store, tmp_path / "artifacts", LocalProvider(loaded, tiny_model))
        run_id = await workshop.add_run(
            **{**DPO, "steps": NUM_STEPS, "beta": BETA, "learning_rate": RATE}
        )
        records = workshop.artifacts / "runs" / run_id / "records.jsonl"
        records.write_text("\n".join(json.dumps(row) for row in PAIRS))
        await workshop.driver(run_id).drive()
        ours = await workshop.entries(run_id, "step")
    await store.close()

    with single_thread():
        theirs = list(_train_with_peft(tiny_model, tmp_path, dtype))

    for name in ("loss", "grad_norm"):
        assert [step[name] for step in ours] == pytest.approx(
            [step[name] for step in theirs], abs=BOUNDS[dtype], rel=10 * BOUNDS[dtype]
        ), name
    for name in ("reward_margin", "chosen_reward", "rejected_reward", "accuracy"):
        assert [step["metrics"][name] for step in ours] == pytest.approx(  # type: ignore[index,call-overload]
            [step[name] for step in theirs], abs=10 * BOUNDS[dtype]
        ), name
    assert theirs[-1]["loss"] < 0.5 * theirs[0]["loss"]


def _train_with_peft(folder: Path, scratch: Path, dtype: str) -> Iterator[dict[str, float]]:
    """Train on the same pairs in the same order; yield what each step comes to."""
    key = AdapterId("first")
    spec = AdapterSpec(rank=8, alpha=16.0, seed=0)
    adapter = save(open_engine(folder, dtype, {key: Trainee(spec)}), key, scratch / "first")
    pairs = [_examples(ChatTemplate.load(folder), row) for row in PAIRS]
    base = load_plain_model(folder, dtype)
    with torch.no_grad():
        reference = [torch.stack([_sum(base, one) for one in pair]) for pair in pairs]
    model, trained = open_with_peft(base, adapter)
    optimizer = torch.optim.AdamW(trained.values(), lr=RATE, weight_decay=0.0)
    source = ExampleSource(len(pairs), DPO["batch_size"], 0)
    for step in range(1, NUM_STEPS + 1):
        indexes = source.batch(step)
        policy = torch.stack([torch.stack([_sum(model, one) for one in pairs[i]]) for i in indexes])
        log_ratios = policy - torch.stack([reference[i] for i in indexes])  # (pairs, 2)
        # TRL, loss_type="sigmoid": the mean over pairs of -logsigmoid(beta x delta).
        rewards = BETA * log_ratios
        margin = rewards[:, 0] - rewards[:, 1]
        loss = -F.logsigmoid(margin).mean()
        optimizer.zero_grad()
        # Of the sum, and then divided: architectures round their norms' gradients to fp32 even in
        # fp64, and a smaller gradient is rounded otherwise.
        (loss * len(indexes)).backward()  # type: ignore[no-untyped-call]
        for parameter in trained.values():
            if parameter.grad is not None:
                parameter.grad /= len(indexes)
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        yield {
            "loss": float(loss.detach()),
            "grad_norm": float(norm),
            "reward_margin": float(margin.mean().detach()),
            "chosen_reward": float(rewards[:, 0].mean().detach()),
            "rejected_reward": float(rewards[:, 1].mean().detach()),
            "accuracy": float((margin > 0).double().mean()),
        }


def _sum(model: Any, example: Example) -> Tensor:
    """Return the log-probability of the answer."""
    logprobs = row_logprobs(model, example)
    return (logprobs * torch.tensor(example.weights, dtype=logprobs.dtype)).sum()


def _examples(template: ChatTemplate, row: Any) -> Sequence[Example]:
    """Return both sides: weight 1 on all that follows the prompt, up to the stop token."""
    prompt = template.encode_prompt(row["prompt"])
    sides = []
    for side in ("chosen", "rejected"):
        text = template.tokenise(template.render([*row["prompt"], *row[side]]))
        last = max(i for i, token in enumerate(text) if token in template.stop_token_ids)
        weights = [float(len(prompt) <= i <= last) for i in range(len(text))]
        sides.append(Example.from_sequence(text, weights))
    return sides
