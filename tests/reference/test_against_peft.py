"""Adapters trained side by side equal plain PEFT and torch, each alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from tests.reference.plain_peft import (
    PEFT_WARNINGS,
    Step,
    Trainee,
    load_plain_model,
    single_thread,
    train_with_peft,
)
from tests.reference.side_by_side import (
    Distance,
    draw_batches,
    measure_distance,
    open_engine,
    save,
    train_together,
)
from tests.tiny_model import Kind, build_tiny_model
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
)

pytestmark = PEFT_WARNINGS

NUM_STEPS = 20
#: fp64: roundings of 1e-16, measured up to 7e-14. fp32: measured loss 6e-5, logprob 1e-5, gradient
#: 2e-4, grad_norm 2e-4, weight 1.4e-5 over all architectures; with room for other matmul kernels.
BOUNDS = {
    "float64": Distance(1e-10, 1e-10, 1e-10, 1e-10, 1e-10),
    "float32": Distance(loss=5e-4, logprob=1e-4, gradient=1e-3, grad_norm=2e-3, weight=1e-4),
}
#: Gemma 2 computes its attention's softmax in fp32 whatever the dtype, and rows of other lengths
#: add up in another order. Measured up to 8e-7, and 2e-14 with both softmaxes in fp64.
GEMMA2_BOUND = Distance(1e-5, 1e-5, 1e-5, 1e-5, 1e-5)
#: Every shape, loss and optimizer setting in one company.
COMPANY: Mapping[AdapterId, Trainee] = {
    AdapterId("r1"): Trainee(AdapterSpec(1, 2.0, seed=1), AdamWSettings(1e-2), num_rows=3),
    AdapterId("r2"): Trainee(
        AdapterSpec(2, 1.0, seed=2, targets=("gate_proj", "down_proj")),
        loss="importance_sampling",
    ),
    AdapterId("r4"): Trainee(
        AdapterSpec(4, 8.0, seed=3, targets=("q_proj", "v_proj")),
        AdamWSettings(3e-3, weight_decay=0.1),
        loss="ppo",
    ),
    AdapterId("r8"): Trainee(
        AdapterSpec(8, 16.0, seed=4),
        AdamWSettings(3e-3, grad_clip_norm=1.0),
        loss="cispo",
        loss_settings={"clip_low_threshold": 0.8, "clip_high_threshold": 1.5},
    ),
    AdapterId("r12"): Trainee(
        AdapterSpec(12, 3.0, seed=5),
        AdamWSettings(5e-3, beta1=0.8, beta2=0.95, eps=1e-6),
        loss="dro",
        loss_settings={"beta": 0.05},
    ),
    AdapterId("r16"): Trainee(
        AdapterSpec(16, 32.0, seed=6),
        loss="dpo",
        loss_settings={"beta": 0.2, "label_smoothing": 0.1, "sft_weight": 0.05},
    ),
    AdapterId("r32"): Trainee(
        AdapterSpec(32, 32.0, seed=7, first_layer=1),
        AdamWSettings(2e-3, weight_decay=0.01, grad_clip_norm=5.0),
        num_rows=1,
    ),
    AdapterId("r64"): Trainee(
        AdapterSpec(64, 16.0, seed=8),
        AdamWSettings(1e-3),
        loss="ppo",
        loss_settings={"clip_low_threshold": 0.9, "clip_high_threshold": 1.05},
        num_rows=1,
    ),
}
GREEDY_TOKENS = 24


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_adapters_trained_together_equal_peft_alone(
    base_folder: Path, tmp_path: Path, dtype: str
) -> None:
    batches = draw_batches(base_folder, COMPANY, NUM_STEPS)
    with single_thread():
        engine = open_engine(base_folder, dtype, COMPANY)
        for key in COMPANY:
            save(engine, key, tmp_path / key)
        together = train_together(engine, COMPANY, batches)
        for key, trainee in COMPANY.items():
            model = load_plain_model(base_folder, dtype)
            alone = train_with_peft(model, tmp_path / key, batches[key], trainee)
            found = measure_distance(zip(together[key], alone, strict=True))
            assert found.is_within(BOUNDS[dtype]), (key, found)
    _check_that_it_is_no_easy_case(together)


def _check_that_it_is_no_easy_case(together: Mapping[AdapterId, Sequence[Step]]) -> None:
    for key in ("r4", "r8", "r64"):
        clipped = [step.metrics["clip_fraction"] for step in together[AdapterId(key)]]
        assert 0.0 < sum(clipped) / len(clipped) < 1.0, key
    norms = [step.grad_norm for step in together[AdapterId("r8")]]
    assert max(norms) > 1.0, "a gradient was clipped"
    moved = [
        float((last - first).abs().max())
        for steps in together.values()
        for first, last in zip(steps[0].weights.values(), steps[-1].weights.values(), strict=True)
    ]
    assert min(moved) > 1e-3, "every matrix learned"


def test_splitting_a_micro_batch_changes_nothing_but_rounding(base_folder: Path) -> None:
    batches = draw_batches(base_folder, COMPANY, num_steps=5)
    with single_thread():
        whole, split = (
            train_together(open_engine(base_folder, "float64", COMPANY, budget), COMPANY, batches)
            for budget in (8192, 64)
        )
    for key in COMPANY:
        found = measure_distance(zip(whole[key], split[key], strict=True))
        assert found.is_within(BOUNDS["float64"]), (key, found)


@pytest.mark.parametrize(
    "kind",
    ["llama", "qwen", "qwen3", "gemma", "gemma2", "mistral", "phi3", "smollm3", "neox"],
)
def test_every_architecture_equals_peft(kind: Kind, tmp_path: Path) -> None:
    base_folder = build_tiny_model(tmp_path / "model", kind)
    out = "dense" if kind == "neox" else "o_proj"
    company = {
        AdapterId("all"): Trainee(AdapterSpec(3, 6.0, seed=1)),
        AdapterId("out"): Trainee(AdapterSpec(5, 5.0, seed=2, targets=(out,)), loss="ppo"),
        AdapterId("top"): Trainee(AdapterSpec(2, 8.0, seed=3, first_layer=1)),
    }
    batches = draw_batches(base_folder, company, num_steps=3)
    with single_thread():
        engine = open_engine(base_folder, "float64", company)
        for key in company:
            save(engine, key, tmp_path / key)
        together = train_together(engine, company, batches)
        for key, trainee in company.items():
            model = load_plain_model(base_folder, "float64")
            alone = train_with_peft(model, tmp_path / key, batches[key], trainee)
            found = measure_distance(zip(together[key], alone, strict=True))
            bound = GEMMA2_BOUND if kind == "gemma2" else BOUNDS["float64"]
            assert found.is_within(bound), (key, found)


def test_an_adapter_has_the_parameters_of_pefts_all_linear(base_folder: Path) -> None:
    company = {AdapterId("a"): Trainee(AdapterSpec(rank=3, alpha=6.0))}
    engine = open_engine(base_folder, "float32", company)
    slot = engine.bank.get(AdapterId("a"))
    ours = {name: view.shape for name, view in slot.layout.name_tensors(slot.factors).items()}
    config = LoraConfig(r=3, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM")
    peft_model = get_peft_model(load_plain_model(base_folder, "float32"), config)
    theirs = {
        name.replace(".default.", "."): parameter.shape
        for name, parameter in peft_model.named_parameters()
        if parameter.requires_grad
    }
    assert ours == theirs


def test_training_goes_on_from_a_checkpoint_as_if_unbroken(
    base_folder: Path, tmp_path: Path
) -> None:
    key = AdapterId("r4")
    company = {key: COMPANY[key]}
    batches = draw_batches(base_folder, company, num_steps=6)[key]

    def train(engine: StepEngine, first: int, last: int) -> list[float]:
        losses = []
        for number in range(first, last):
            op = ForwardBackward(key, 1, tuple(batches[number]), loss=COMPANY[key].loss)
            [result] = engine.forward_backward([op])
            assert isinstance(result, ForwardBackwardResult)
            losses.append(result.loss_sum)
            engine.optim_step([OptimStep(key, 2, COMPANY[key].settings)])
        return losses

    with single_thread():
        unbroken = open_engine(base_folder, "float32", company)
        expected = train(unbroken, 0, 6)

        before = open_engine(base_folder, "float32", company)
        losses = train(before, 0, 3)
        folder = save(before, key, tmp_path / "step-000003")
        after = open_engine(base_folder, "float32", {})
        state = after.read_checkpoint(folder)
        after.put_adapter(key, state)
        losses += train(after, 3, 6)

    assert (losses, after.bank.get(key).step) == (expected, 6)
    for name in ("parameters", "exp_avg", "exp_avg_sq"):
        ours, theirs = getattr(after.bank.get(key), name), getattr(unbroken.bank.get(key), name)
        assert torch.equal(ours, theirs), name


def test_peft_answers_from_a_checkpoint_as_the_sampler_does(
    base_folder: Path, tmp_path: Path
) -> None:
    from tests.sampler.conftest import run_together, tokens_of
    from twinkle_jupyter.sampler.detokenizer import load_tokenizer
    from twinkle_jupyter.sampler.interface import SampleRequest, SamplingSettings
    from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
    from twinkle_jupyter.sampler.torch_sampler import TorchSampler

    key = AdapterId("six")
    company = {key: Trainee(AdapterSpec(rank=6, alpha=3.0, seed=13), num_rows=4)}
    batches = draw_batches(base_folder, company, num_steps=10)[key]
    prompt = (1, 40, 41, 42, 43, 2, 1)
    with single_thread():
        engine = open_engine(base_folder, "float32", company)
        for batch in batches:
            engine.forward_backward([ForwardBackward(key, 1, tuple(batch))])
            engine.optim_step([OptimStep(key, 2, AdamWSettings(learning_rate=5e-2))])
        folder = save(engine, key, tmp_path / "checkpoint")

        sampler = TorchSampler(
            load_base_model(base_folder), load_tokenizer(base_folder), SnapshotCache()
        )

        settings = SamplingSettings(max_tokens=GREEDY_TOKENS)
        asked = SampleRequest(prompt, settings, frozenset({2}), key, checkpoint=str(folder))
        # In one batch with the base model, another prompt and an answer that is drawn.
        drawn = replace(settings, temperature=1.0, seed=7)
        requests = (
            asked,
            replace(asked, adapter_id=None),
            replace(asked, prompt=(1, 50, 51, 2)),
            replace(asked, settings=drawn),
        )
        ours, base_answer, *_ = map(tokens_of, run_together(sampler, *requests))

        plain = load_plain_model(base_folder, "float32")
        peft_model = PeftModel.from_pretrained(plain, folder).eval()
        generated = peft_model.generate(  # type: ignore[no-untyped-call]
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=GREEDY_TOKENS,
            do_sample=False,
        )
    assert ours == generated[0, len(prompt) :].tolist()
    assert ours != base_answer
