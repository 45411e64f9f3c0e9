"""Adapters trained side by side equal plain PEFT and torch, each alone."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor

from tests.reference.plain_peft import PeftStep, load_plain_model, single_thread, train_with_peft
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
    OptimStepResult,
    SaveCheckpoint,
)

# PEFT 0.21 calls what transformers 5.24 renames.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning"),
]

NUM_STEPS = 10
#: Largest difference over losses, log-probabilities, gradients and weights in 10 steps. fp64: a
#: handful of roundings of 1e-16. fp32: measured up to 2e-5 (losses of about 100 have an ulp of
#: 8e-6), with room for other matmul kernels.
TOLERANCES = {"float64": 1e-10, "float32": 2e-4}
SPECS: Mapping[AdapterId, AdapterSpec] = {
    AdapterId("one"): AdapterSpec(rank=1, alpha=2.0, seed=11),
    AdapterId("four"): AdapterSpec(rank=4, alpha=8.0, seed=12),
    AdapterId("six"): AdapterSpec(rank=6, alpha=3.0, seed=13),
}
SETTINGS: Mapping[AdapterId, AdamWSettings] = {
    AdapterId("one"): AdamWSettings(learning_rate=1e-2),
    AdapterId("four"): AdamWSettings(learning_rate=3e-3, weight_decay=0.1, grad_clip_norm=1.0),
    AdapterId("six"): AdamWSettings(learning_rate=5e-3, beta1=0.8, beta2=0.95, eps=1e-6),
}
GREEDY_TOKENS = 24


def _draw_batches(seed: int, num_rows: int) -> list[list[Example]]:
    """Rows of 2 to 40 tokens; about half of the weights are 0, some are negative."""
    draw = random.Random(seed)  # noqa: S311 - rows that can be drawn again
    weights = (0.0, 0.0, 1.0, 1.0, 0.5, -0.25)

    def draw_row() -> Example:
        length = draw.randint(2, 40)
        ids = [draw.randrange(390) for _ in range(length + 1)]
        return Example.from_sequence(ids, [1.0] + [draw.choice(weights) for _ in range(length)])

    return [[draw_row() for _ in range(num_rows)] for _ in range(NUM_STEPS)]


BATCHES = {key: _draw_batches(seed, seed + 1) for seed, key in enumerate(SPECS, start=1)}


def _build_engine(base_folder: Path, dtype: str, token_budget: int = 8192) -> StepEngine:
    base = load_base_model(base_folder, dtype)
    return StepEngine(base, base_model_name="tiny", token_budget=token_budget)


def _save(engine: StepEngine, adapter_id: AdapterId, folder: Path) -> Path:
    [saved] = engine.save_checkpoints([SaveCheckpoint(adapter_id, 1, str(folder))])
    assert isinstance(saved, CheckpointSaved)
    return folder


def _named(engine: StepEngine, adapter_id: AdapterId, flat: Tensor) -> dict[str, Tensor]:
    layout = engine.bank.get(adapter_id).layout
    return layout.name_tensors(layout.split(flat.detach().clone()))


def _train_together(engine: StepEngine) -> dict[AdapterId, list[PeftStep]]:
    steps: dict[AdapterId, list[PeftStep]] = {key: [] for key in SPECS}
    for number in range(NUM_STEPS):
        results = engine.forward_backward(
            [ForwardBackward(key, 1, tuple(BATCHES[key][number])) for key in SPECS]
        )
        gradients = {key: _named(engine, key, engine.bank.get(key).gradient) for key in SPECS}
        stepped = engine.optim_step([OptimStep(key, 2, SETTINGS[key]) for key in SPECS])
        for key, result, optim in zip(SPECS, results, stepped, strict=True):
            assert isinstance(result, ForwardBackwardResult)
            assert isinstance(optim, OptimStepResult)
            weights = _named(engine, key, engine.bank.get(key).parameters)
            steps[key].append(
                PeftStep(result.loss_sum, result.logprobs, gradients[key], optim.grad_norm, weights)
            )
    return steps


def _largest_difference(ours: PeftStep, theirs: PeftStep) -> float:
    assert ours.gradients.keys() == theirs.gradients.keys()
    assert ours.weights.keys() == theirs.weights.keys()
    tensors = [(ours.gradients[name], theirs.gradients[name]) for name in ours.gradients]
    tensors += [(ours.weights[name], theirs.weights[name]) for name in ours.weights]
    differences = [float((one - other).abs().max()) for one, other in tensors]
    differences.append(abs(ours.loss_sum - theirs.loss_sum))
    differences.append(abs(ours.grad_norm - theirs.grad_norm))
    for row, other_row in zip(ours.logprobs, theirs.logprobs, strict=True):
        differences += [abs(a - b) for a, b in zip(row, other_row, strict=True)]
    return max(differences)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_adapters_trained_together_equal_peft_alone(
    base_folder: Path, tmp_path: Path, dtype: str
) -> None:
    with single_thread():
        engine = _build_engine(base_folder, dtype)
        for key, spec in SPECS.items():
            engine.create_adapter(key, spec)
            _save(engine, key, tmp_path / key)
        together = _train_together(engine)
        worst = 0.0
        for key in SPECS:
            model = load_plain_model(base_folder, dtype)
            alone = train_with_peft(model, tmp_path / key, BATCHES[key], SETTINGS[key])
            for ours, theirs in zip(together[key], alone, strict=True):
                worst = max(worst, _largest_difference(ours, theirs))
    assert worst <= TOLERANCES[dtype]


def test_splitting_a_micro_batch_changes_nothing_but_rounding(base_folder: Path) -> None:
    with single_thread():
        whole, split = (
            _build_engine(base_folder, "float64", token_budget=budget) for budget in (8192, 64)
        )
        for engine in (whole, split):
            for key, spec in SPECS.items():
                engine.create_adapter(key, spec)
        pairs = zip(_train_together(whole).values(), _train_together(split).values(), strict=True)
        worst = max(
            _largest_difference(ours, theirs)
            for one, other in pairs
            for ours, theirs in zip(one, other, strict=True)
        )
    assert worst <= TOLERANCES["float64"]


def test_an_adapter_has_the_parameters_of_pefts_all_linear(base_folder: Path) -> None:
    engine = _build_engine(base_folder, "float32")
    engine.create_adapter(AdapterId("a"), AdapterSpec(rank=3, alpha=6.0))
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
    key = AdapterId("four")

    def train(engine: StepEngine, first: int, last: int) -> list[float]:
        losses = []
        for number in range(first, last):
            op = ForwardBackward(key, 1, tuple(BATCHES[key][number]))
            [result] = engine.forward_backward([op])
            assert isinstance(result, ForwardBackwardResult)
            losses.append(result.loss_sum)
            engine.optim_step([OptimStep(key, 2, SETTINGS[key])])
        return losses

    with single_thread():
        unbroken = _build_engine(base_folder, "float32")
        unbroken.create_adapter(key, SPECS[key])
        expected = train(unbroken, 0, 6)

        before = _build_engine(base_folder, "float32")
        before.create_adapter(key, SPECS[key])
        losses = train(before, 0, 3)
        folder = _save(before, key, tmp_path / "step-000003")
        after = _build_engine(base_folder, "float32")
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
    from twinkle_jupyter.sampler.detokenizer import load_tokenizer
    from twinkle_jupyter.sampler.interface import SampleRequest, SamplingSettings
    from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
    from twinkle_jupyter.sampler.torch_sampler import TorchSampler

    key = AdapterId("six")
    prompt = (1, 40, 41, 42, 43, 2, 1)
    with single_thread():
        engine = _build_engine(base_folder, "float32")
        engine.create_adapter(key, SPECS[key])
        for batch in BATCHES[key]:
            engine.forward_backward([ForwardBackward(key, 1, tuple(batch))])
            engine.optim_step([OptimStep(key, 2, AdamWSettings(learning_rate=5e-2))])
        folder = _save(engine, key, tmp_path / "checkpoint")

        sampler = TorchSampler(
            load_base_model(base_folder), load_tokenizer(base_folder), SnapshotCache()
        )

        def answer(request: SampleRequest) -> list[int]:
            under_way = sampler.open_answer(request)
            deltas = [under_way.advance()]
            while deltas[-1].finish_reason is None:
                deltas.append(under_way.advance())
            return [token for delta in deltas for token in delta.tokens]

        settings = SamplingSettings(max_tokens=GREEDY_TOKENS)
        base_answer = answer(SampleRequest(prompt, settings, frozenset({2})))
        ours = answer(SampleRequest(prompt, settings, frozenset({2}), key, checkpoint=str(folder)))

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
