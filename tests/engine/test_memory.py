"""The estimate of a step's memory: of what it is a function, and how near it comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.memory import (
    BatchShape,
    ModelDimensions,
    estimate_memory,
    fit_tokens,
    machine_memory,
)
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.launch.model_fetch import ensure_base_model
from twinkle_jupyter.scheduling.request import AdapterSpec

SPEC = AdapterSpec(8, 16.0)
SHAPE = BatchShape(num_tokens=1000, longest_row=250, num_supervised=500)


@pytest.fixture
def tiny(tiny_model: Path) -> ModelDimensions:
    found = ModelDimensions.read(tiny_model)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "spec", [SPEC, AdapterSpec(3, 1.0, targets=("q_proj", "down_proj"), first_layer=1)]
)
def test_an_adapter_has_as_many_numbers_as_counted(
    tiny_model: Path, tiny: ModelDimensions, spec: AdapterSpec
) -> None:
    base = load_base_model(tiny_model)
    engine = StepEngine(base, base_model_name="tiny")
    engine.create_adapter(AdapterId("a"), spec)
    slot = engine.bank.get(AdapterId("a"))
    assert tiny.count_adapter(spec) == slot.parameters.numel()
    assert tiny.num_weights * 4 == base.size_bytes


def test_more_of_anything_takes_more(tiny: ModelDimensions) -> None:
    least = estimate_memory(tiny, SPEC, SHAPE)
    assert (
        least.total
        == sum((least.weights, least.adapter, least.optimizer, least.activations, least.head))
        + least.libraries
    )
    longer = estimate_memory(tiny, SPEC, replace(SHAPE, num_tokens=2000))
    assert longer.activations == 2 * least.activations
    supervised = estimate_memory(tiny, SPEC, replace(SHAPE, num_supervised=1000))
    assert supervised.head > least.head
    ranks = estimate_memory(tiny, replace(SPEC, rank=16), SHAPE)
    assert (ranks.adapter, ranks.optimizer) == (2 * least.adapter, 2 * least.optimizer)
    half = estimate_memory(tiny, SPEC, SHAPE, dtype="bfloat16")
    assert 2 * half.weights == least.weights
    twice = estimate_memory(tiny, SPEC, SHAPE, gradient_checkpointing=True)
    assert twice.activations < least.activations


def test_tokens_that_fit_take_what_they_were_given(tiny: ModelDimensions) -> None:
    there_is = 2 * 10**8
    fit = fit_tokens(tiny, there_is)
    shape = BatchShape(fit, fit, fit)
    taken = estimate_memory(tiny, AdapterSpec(16, 1.0), shape).total
    assert 0.9 * there_is < taken < 1.1 * there_is
    assert fit_tokens(tiny, 10**6) == 0


def test_a_machine_has_memory() -> None:
    assert 10**8 < machine_memory() < 10**14


@pytest.mark.parametrize("config", ["{}", "[]", "nonsense", '{"hidden_size": "x"}'])
def test_a_folder_that_does_not_say_enough_has_no_dimensions(tmp_path: Path, config: str) -> None:
    assert ModelDimensions.read(tmp_path) is None
    (tmp_path / "config.json").write_text(config)
    assert ModelDimensions.read(tmp_path) is None


#: Grows by what a step takes, and says by how much; `ru_maxrss` knows the highest point.
_MEASURE = """
import json, resource, sys
from pathlib import Path
import torch, transformers
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings, AdapterSpec, ForwardBackward, OptimStep
)

keep_freed_memory()  # as the trainer does
torch.set_num_threads(1)
rank, num_rows, length, checkpoints = map(int, sys.argv[2:])
rows = tuple(
    Example.from_sequence([(7 * row + place) % 30_000 + 3 for place in range(length + 1)],
                          [1.0] * (length + 1))
    for row in range(num_rows)
)
torch.ones(64, 64) @ torch.ones(64, 64)
before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
engine = StepEngine(load_base_model(Path(sys.argv[1])), base_model_name="x",
                    gradient_checkpointing=bool(checkpoints))
key = AdapterId("a")
engine.create_adapter(key, AdapterSpec(rank, 2.0 * rank))
for _ in range(2):
    for answers in (engine.forward_backward([ForwardBackward(key, 1, rows)]),
                    engine.optim_step([OptimStep(key, 2, AdamWSettings(1e-3))])):
        assert not isinstance(answers[0], Exception), answers
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
"""


@pytest.mark.model
@pytest.mark.parametrize(
    ("rank", "num_rows", "length", "checkpoints"),
    [
        (8, 4, 50, False),
        (64, 4, 50, False),
        (8, 4, 256, False),
        (8, 1, 1024, False),
        (8, 1, 640, True),
    ],
)
def test_the_estimate_is_within_15_percent_of_what_is_measured(
    rank: int, num_rows: int, length: int, *, checkpoints: bool
) -> None:
    folder = ensure_base_model(DEFAULT_BASE_MODEL, lambda _: None)
    model = ModelDimensions.read(folder)
    assert model is not None
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(folder)]
        + [str(int(number)) for number in (rank, num_rows, length, checkpoints)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ended.returncode == 0, ended.stderr
    num_tokens = num_rows * length
    estimate = estimate_memory(
        model,
        AdapterSpec(rank, 2.0 * rank),
        BatchShape(num_tokens, length, num_tokens),
        gradient_checkpointing=checkpoints,
    )
    assert estimate.total == pytest.approx(json.loads(ended.stdout), rel=0.15)
