"""What the shipped data set teaches, and that plain `peft` reads the adapter as it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.runs.conftest import LocalProvider
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.datasets.records import load_records
from twinkle_jupyter.ids import AdapterId, RunId
from twinkle_jupyter.runs.driver import RunDriver
from twinkle_jupyter.runtime.handles import Compute
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.sampler.interface import SampleRequest, SamplingSettings
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.store.sqlite import SqliteStore
from twinkle_jupyter.templates.chat_template import ChatTemplate

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(600),
    # peft 0.21 reads names that transformers 5.24 calls deprecated.
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),
]

#: None of these is in the data set, in this wording.
HELD_OUT = (
    "What is your name?",
    "Tell me who you are.",
    "Which assistant am I talking to?",
    "Introduce yourself.",
)
UNRELATED = {
    "What is the capital of France?": "Paris",
    "How many days are there in a week?": "7|seven",
    "What is the largest planet in our solar system?": "Jupiter",
    "What color is the sky on a clear day?": "blue",
}
STEPS = 24
_MAX_TOKENS = 40


async def _answer(
    compute: Compute, template: ChatTemplate, question: str, adapter: AdapterId | None, folder: str
) -> tuple[str, tuple[int, ...]]:
    request = SampleRequest(
        prompt=template.encode_prompt([{"role": "user", "content": question}]),
        settings=SamplingSettings(max_tokens=_MAX_TOKENS),
        stop_tokens=template.stop_token_ids,
        adapter_id=adapter,
        checkpoint=folder,
    )
    deltas = [delta async for delta in compute.sampler.sample(request)]
    tokens = tuple(token for delta in deltas for token in delta.tokens)
    return "".join(delta.text for delta in deltas), tokens


async def _train(store: SqliteStore, folder: Path, provider: LocalProvider, seed: int) -> RunRow:
    run_id, adapter_id = RunId(f"run_{seed}"), AdapterId(f"adapter_{seed}")
    records = load_records("self_cognition").records
    target = folder / "runs" / run_id
    target.mkdir(parents=True)
    lines = "\n".join(json.dumps(record) for record in records)
    await asyncio.to_thread((target / "records.jsonl").write_text, lines, encoding="utf-8")
    config = RunConfig(adapter="twinkle", steps=STEPS, seed=seed)
    row = RunRow(run_id, "ada", adapter_id, "twinkle", config.model_dump(mode="json"), "")
    await store.put(RunRow.key(run_id), row.to_row())
    await RunDriver(store, folder, provider, run_id).drive()
    after = await store.get(RunRow.key(run_id))
    assert after is not None
    return RunRow.from_row(after)


async def test_the_name_is_taught_and_nothing_else_is_lost(
    base_model_folder: Path, tmp_path: Path
) -> None:
    taught_questions = {r["messages"][0]["content"] for r in load_records("self_cognition").records}
    assert not taught_questions & {*HELD_OUT, *UNRELATED}
    template = await asyncio.to_thread(ChatTemplate.load, base_model_folder)
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    async with open_local_compute(
        base_model_folder, base_model_name="smollm2", num_threads=2
    ) as compute:
        provider = LocalProvider(compute, base_model_folder)
        before = await asyncio.gather(
            *(_answer(compute, template, question, None, "") for question in HELD_OUT)
        )
        assert not any("Twinkle" in text for text, _ in before)
        # Side by side, as a class would: in the same micro-batches.
        runs = await asyncio.gather(*(_train(store, tmp_path, provider, n) for n in range(3)))
        for seed, run in enumerate(runs):
            assert run.state == "finished", run.reason
            folder = tmp_path / "runs" / run.run_id / "checkpoints" / run.checkpoint
            answers = await asyncio.gather(
                *(
                    _answer(compute, template, question, run.adapter_id, str(folder))
                    for question in (*HELD_OUT, *UNRELATED)
                )
            )
            taught = sum("Twinkle" in text for text, _ in answers[: len(HELD_OUT)])
            kept = sum(
                any(word.lower() in text.lower() for word in words.split("|"))
                for (text, _), words in zip(
                    answers[len(HELD_OUT) :], UNRELATED.values(), strict=True
                )
            )
            prompt = template.encode_prompt([{"role": "user", "content": HELD_OUT[0]}])
            assert answers[0][1] == await asyncio.to_thread(
                _tokens_by_peft, base_model_folder, folder, prompt, template.stop_token_ids
            )
            assert taught >= 3, f"seed {seed}: taught {taught} of 4"
            assert kept >= 3, f"seed {seed}: kept {kept} of 4"
    await store.close()


def _tokens_by_peft(
    base: Path, adapter: Path, prompt: tuple[int, ...], stops: frozenset[int]
) -> tuple[int, ...]:
    """Greedy tokens of plain transformers with the adapter loaded by plain peft."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tuned = PeftModel.from_pretrained(model, adapter)
    inputs = torch.tensor([prompt])
    output = tuned.generate(  # type: ignore[no-untyped-call]
        input_ids=inputs,
        attention_mask=torch.ones_like(inputs),
        max_new_tokens=_MAX_TOKENS,
        do_sample=False,
        eos_token_id=sorted(stops),
        pad_token_id=min(stops),
    )
    return tuple(int(token) for token in output[0, len(prompt) :])
