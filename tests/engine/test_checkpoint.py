"""What is saved comes back whole, or is refused; the arithmetic is tested in `reference/`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import OpenEngine, example
from tests.tiny_model import build_tiny_model
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import InvalidDataError, NotFoundError, RunFailedError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    OptimStep,
)

A, B = AdapterId("a"), AdapterId("b")


def _train(engine: StepEngine, num_steps: int) -> None:
    engine.create_adapter(A, AdapterSpec(2, 3.0, seed=5))
    for _ in range(num_steps):
        engine.forward_backward([ForwardBackward(A, 1, (example(5, 6, 7, 8),))])
        engine.optim_step([OptimStep(A, 2, AdamWSettings(1e-2))])


def _save(engine: StepEngine, folder: Path) -> CheckpointSaved:
    return engine.write_checkpoint(folder, engine.copy_adapter(A))


def test_a_checkpoint_says_what_it_is(engine: StepEngine, tmp_path: Path) -> None:
    _train(engine, 2)
    saved = _save(engine, tmp_path / "ckpt")
    files = {file.name: file.stat().st_size for file in (tmp_path / "ckpt").iterdir()}
    size_bytes = sum(files.values()) - files["manifest.json"]
    assert saved == CheckpointSaved(step=2, size_bytes=size_bytes)
    assert sorted(files) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
        "optimizer.safetensors",
        "trainer_state.json",
    ]
    config = json.loads((tmp_path / "ckpt" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == ("tiny", 2, 3)


def test_a_gradient_not_used_yet_is_saved_too(open_engine: OpenEngine, tmp_path: Path) -> None:
    before, after = open_engine(), open_engine()
    _train(before, 1)
    before.forward_backward([ForwardBackward(A, 1, (example(5, 6, 7, 8),))])
    _save(before, tmp_path / "ckpt")
    after.put_adapter(B, after.read_checkpoint(tmp_path / "ckpt"))
    ours, theirs = after.bank.get(B), before.bank.get(A)
    assert (ours.spec, ours.step, ours.has_gradient) == (theirs.spec, 1, True)
    for name in ("parameters", "exp_avg", "exp_avg_sq", "gradient"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name


def test_saving_again_replaces_the_checkpoint(engine: StepEngine, tmp_path: Path) -> None:
    _train(engine, 1)
    _save(engine, tmp_path / "ckpt")
    _train(engine, 1)
    _save(engine, tmp_path / "ckpt")
    assert engine.read_checkpoint(tmp_path / "ckpt").step == 2
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_adapter(
    engine: StepEngine, tmp_path: Path
) -> None:
    _train(engine, 1)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RunFailedError, match="Checkpoint 'ckpt' could not be written"):
        _save(engine, tmp_path / "file" / "ckpt")
    assert engine.bank.get(A).step == 1


def test_a_broken_checkpoint_is_refused(engine: StepEngine, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no complete folder 'nowhere'"):
        engine.read_checkpoint(tmp_path / "nowhere")
    _train(engine, 1)
    _save(engine, tmp_path / "ckpt")
    file = tmp_path / "ckpt" / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"'adapter_model.safetensors' of 'ckpt' is not as"):
        engine.read_checkpoint(tmp_path / "ckpt")
    (tmp_path / "ckpt" / "manifest.json").unlink()
    with pytest.raises(NotFoundError, match="There is no complete folder 'ckpt'"):
        engine.read_checkpoint(tmp_path / "ckpt")


def test_a_checkpoint_of_another_base_model_is_refused(engine: StepEngine, tmp_path: Path) -> None:
    _train(engine, 1)
    _save(engine, tmp_path / "ckpt")
    other = load_base_model(build_tiny_model(tmp_path / "other", seed=1))
    with pytest.raises(InvalidDataError, match="'ckpt' was trained on other weights"):
        StepEngine(other, base_model_name="other").read_checkpoint(tmp_path / "ckpt")
