"""An adapter of PEFT's own making comes in as it is, or is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.engine.conftest import example
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.peft_import import import_peft
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
]

A = AdapterId("a")


def save_external(base: Path, folder: Path, **settings: Any) -> Path:
    """Save a LoRA as PEFT does, with numbers in both matrices."""
    whole: dict[str, Any] = {"r": 4, "lora_alpha": 12, "target_modules": "all-linear"}
    config = LoraConfig(task_type="CAUSAL_LM", **(whole | settings))
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(str(folder))
    return folder


def logprobs(engine: StepEngine) -> list[float]:
    forward = ForwardBackward(A, 1, (example(5, 6, 7, 8, 9),), forward_only=True)
    (result,) = engine.forward_backward([forward])
    return list(result.logprobs[0])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("settings", "spec"),
    [
        ({}, AdapterSpec(4, 12.0)),
        (
            {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1], "r": 3},
            AdapterSpec(3, 12.0, targets=("q_proj", "v_proj"), first_layer=1),
        ),
    ],
)
def test_it_computes_what_peft_computes_and_is_trained_on(
    tiny_model: Path, tmp_path: Path, settings: dict[str, object], spec: AdapterSpec
) -> None:
    folder = save_external(tiny_model, tmp_path / "external", **settings)
    checkpoint = tmp_path / "checkpoint"
    assert import_peft(folder, tiny_model, "tiny", checkpoint) == spec
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny")
    engine.put_adapter(A, engine.read_checkpoint(checkpoint))

    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), folder)
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        rows = torch.log_softmax(plain(ids[:, :-1]).logits[0], -1)
    expected = rows.gather(1, ids[0, 1:, None])[:, 0]
    torch.testing.assert_close(torch.tensor(logprobs(engine)), expected, atol=1e-4, rtol=0)

    before = logprobs(engine)
    engine.forward_backward([ForwardBackward(A, 1, (example(5, 6, 7, 8, 9),))])
    (step,) = engine.optim_step([OptimStep(A, 2, AdamWSettings(1e-2))])
    assert step.step == 1  # type: ignore[union-attr]
    assert sum(logprobs(engine)) > sum(before)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"use_dora": True}, r"has DoRA \(`use_dora`\), which is not computed here"),
        ({"use_rslora": True}, r"has rank-stabilised scaling \(rsLoRA\) \(`use_rslora`\)"),
        ({"modules_to_save": ["lm_head"]}, "has modules that were trained in full"),
        ({"bias": "all"}, "has trained biases"),
        ({"rank_pattern": {"q_proj": 8}}, "has a rank that differs by layer"),
        ({"alpha_pattern": {"q_proj": 8}}, "has an alpha that differs by layer"),
        ({"init_lora_weights": "pissa"}, "began as 'pissa', which changes the base model's own"),
        (
            {"target_modules": ["q_proj"], "layers_to_transform": [0]},
            r"is not on `model.layers.1\.\S+`: here an adapter is on",
        ),
        ({"target_modules": ["embed_tokens", "q_proj"]}, "is on `.*embed.*`, which is no linear"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(
    tiny_model: Path, tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    folder = save_external(tiny_model, tmp_path / "external", **settings)
    with pytest.raises(InvalidDataError, match=f"^Adapter 'external' {said}"):
        import_peft(folder, tiny_model, "tiny", tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_what_is_no_adapter_or_a_pickle_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"holds no PEFT adapter: it has no adapter_config"):
        import_peft(tmp_path, tiny_model, "tiny", tmp_path / "checkpoint")
    folder = save_external(tiny_model, tmp_path / "external")
    weights = folder / "adapter_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    with pytest.raises(InvalidDataError, match="is not a readable safetensors file"):
        import_peft(folder, tiny_model, "tiny", tmp_path / "checkpoint")
    weights.unlink()
    (folder / "adapter_model.bin").write_bytes(content)
    with pytest.raises(InvalidDataError, match="has its weights in a pickle"):
        import_peft(folder, tiny_model, "tiny", tmp_path / "checkpoint")


def test_a_rank_that_is_not_that_of_the_tensors_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = save_external(tiny_model, tmp_path / "external")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"r": 5}))
    with pytest.raises(InvalidDataError, match="of 4 x 32 where this base model takes 5 x 32"):
        import_peft(folder, tiny_model, "tiny", tmp_path / "checkpoint")


def test_weights_are_those_of_the_folder(tiny_model: Path, tmp_path: Path) -> None:
    folder = save_external(tiny_model, tmp_path / "external")
    import_peft(folder, tiny_model, "tiny", tmp_path / "checkpoint")
    theirs, ours = (
        load_file(f / "adapter_model.safetensors") for f in (folder, tmp_path / "checkpoint")
    )
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(weights, ours[name]) for name, weights in theirs.items())
