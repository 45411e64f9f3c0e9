"""What is exported computes what the adapter computes, in every format, or says why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from gguf import GGUFReader
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.engine.conftest import example
from tests.tiny_model import Kind, build_tiny_model
from tests.tiny_wheel import build_tiny_gguf
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.exporting import ExportFormat, ExportOrder, export_adapter
from twinkle_jupyter.engine.gguf_conversion import convert
from twinkle_jupyter.engine.gguf_writing import WeightType
from twinkle_jupyter.engine.merged_weights import MergedWeights
from twinkle_jupyter.engine.merged_writing import write_merged
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import ConflictError, InvalidDataError
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
]

A = AdapterId("a")
IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12]])
#: Largest difference of two logits, fp32: the sums are made in another order.
TOLERANCE = 1e-4


def train(base: Path, checkpoint: Path, spec: AdapterSpec | None = None) -> Path:
    """Train an adapter for some steps, so that it changes every answer."""
    engine = StepEngine(load_base_model(base), base_model_name="tiny")
    engine.create_adapter(A, spec or AdapterSpec(4, 8.0, seed=1))
    for number in range(4):
        engine.forward_backward([ForwardBackward(A, 2 * number + 1, (example(5, 6, 7, 8, 9),))])
        engine.optim_step([OptimStep(A, 2 * number + 2, AdamWSettings(2e-2))])
    engine.write_checkpoint(checkpoint, engine.copy_adapter(A))
    return checkpoint


def export(
    base: Path,
    checkpoint: Path,
    folder: Path,
    export_format: ExportFormat,
    weight_type: WeightType = "F32",
) -> Path:
    order = ExportOrder(checkpoint, base, folder, export_format, "pirate", weight_type)
    shares: list[float] = []
    assert export_adapter(order, shares.append) == sum(
        path.stat().st_size for path in folder.iterdir()
    )
    assert shares == sorted(shares)
    return folder


def load(folder: Path, **settings: object) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **settings)
    assert isinstance(model, PreTrainedModel)
    return model


def logits(model: torch.nn.Module) -> Tensor:
    with torch.no_grad():
        found = model(IDS).logits
    assert isinstance(found, Tensor)
    return found


def generate(model: torch.nn.Module) -> list[list[int]]:
    call = cast("Callable[..., Tensor]", model.generate)
    mask = torch.ones_like(IDS)
    answer = call(input_ids=IDS, attention_mask=mask, max_new_tokens=12, do_sample=False)
    return cast("list[list[int]]", answer.tolist())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Llama and an adapter of it."""
    folder = tmp_path_factory.mktemp("trained")
    base = build_tiny_model(folder / "base")
    return base, train(base, folder / "checkpoint")


def test_peft_generates_the_same_tokens_from_its_folder(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    base, checkpoint = trained
    folder = export(base, checkpoint, tmp_path / "out", "peft")
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    merged = load(export(base, checkpoint, tmp_path / "merged", "merged"))
    plain = PeftModel.from_pretrained(load(base), folder)
    assert generate(merged) == generate(plain)
    assert (logits(plain) - logits(load(base))).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["llama", "qwen", "qwen3", "gemma", "mistral", "phi3"])
def test_a_merged_model_computes_what_peft_computes(kind: Kind, tmp_path: Path) -> None:
    base = build_tiny_model(tmp_path / "base", kind)
    checkpoint = train(base, tmp_path / "checkpoint")
    merged = load(export(base, checkpoint, tmp_path / "merged", "merged"))
    plain = PeftModel.from_pretrained(load(base), checkpoint)
    torch.testing.assert_close(logits(merged), logits(plain), atol=TOLERANCE, rtol=0)
    is_tied = merged.config.tie_word_embeddings
    head, embedding = merged.get_output_embeddings(), merged.get_input_embeddings()  # type: ignore[no-untyped-call]
    assert (head.weight is embedding.weight) is is_tied
    assert (tmp_path / "merged" / "chat_template.jinja").is_file()


def test_a_merged_model_keeps_the_type_of_its_base(tmp_path: Path) -> None:
    base = build_tiny_model(tmp_path / "base")
    halved = {
        name: weight.to(torch.bfloat16)
        for name, weight in load_file(base / "model.safetensors").items()
    }
    save_file(halved, base / "model.safetensors", metadata={"format": "pt"})
    checkpoint = train(base, tmp_path / "checkpoint")
    export(base, checkpoint, tmp_path / "merged", "merged")
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    assert {weight.dtype for weight in merged.values()} == {torch.bfloat16}
    name = "model.layers.0.self_attn.q_proj.weight"
    adapter = load_file(checkpoint / "adapter_model.safetensors")
    down, up = (
        adapter[f"base_model.model.model.layers.0.self_attn.q_proj.lora_{part}.weight"]
        for part in "AB"
    )
    exact = halved[name].double() + 2.0 * up.double() @ down.double()
    assert torch.equal(merged[name], exact.to(torch.bfloat16))
    assert torch.equal(merged["model.norm.weight"], halved["model.norm.weight"])


def test_a_large_model_is_written_in_shards_that_load(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    base, checkpoint = trained
    with MergedWeights(base, checkpoint) as weights:
        write_merged(weights, base, tmp_path, lambda _: None, shard_bytes=60_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    shards = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    assert sorted(set(index["weight_map"].values())) == shards
    plain = PeftModel.from_pretrained(load(base), checkpoint)
    torch.testing.assert_close(logits(load(tmp_path)), logits(plain), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", ["llama", "qwen", "qwen3"])
def test_a_gguf_file_computes_what_the_merged_model_computes(kind: Kind, tmp_path: Path) -> None:
    base = build_tiny_model(tmp_path / "base", kind)
    checkpoint = train(base, tmp_path / "checkpoint")
    merged = load(export(base, checkpoint, tmp_path / "merged", "merged"))
    folder = export(base, checkpoint, tmp_path / "gguf", "gguf")
    # Its reader takes Qwen 3's heads to be 128 wide, whatever the file says.
    read = load(folder, gguf_file="pirate-F32.gguf", config=AutoConfig.from_pretrained(base))
    torch.testing.assert_close(logits(read), logits(merged), atol=TOLERANCE, rtol=0)


def test_our_own_reader_takes_a_gguf_file_back_as_it_was(tmp_path: Path) -> None:
    convert(build_tiny_gguf(tmp_path / "tiny.gguf"), tmp_path / "base", lambda _: None)
    base = tmp_path / "base"
    checkpoint = train(base, tmp_path / "checkpoint")
    merged = export(base, checkpoint, tmp_path / "merged", "merged")
    folder = export(base, checkpoint, tmp_path / "gguf", "gguf")
    convert(folder / "pirate-F32.gguf", tmp_path / "back", lambda _: None)
    there, back = (load_file(f / "model.safetensors") for f in (merged, tmp_path / "back"))
    assert there.keys() == back.keys()
    assert all(torch.equal(weights, back[name]) for name, weights in there.items())
    for name in ("tokenizer.json", "chat_template.jinja", "tokenizer_config.json"):
        assert (tmp_path / "back" / name).read_text() == (base / name).read_text(), name


@pytest.mark.parametrize(("weight_type", "error"), [("F16", 2e-3), ("Q8_0", 2e-2)])
def test_a_smaller_gguf_file_is_near(
    trained: tuple[Path, Path], tmp_path: Path, weight_type: WeightType, error: float
) -> None:
    base, checkpoint = trained
    folder = export(base, checkpoint, tmp_path / "out", "gguf", weight_type)
    file = folder / f"pirate-{weight_type}.gguf"
    tensors = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    assert tensors["blk.0.attn_q.weight"].tensor_type.name == weight_type
    assert tensors["output_norm.weight"].tensor_type.name == "F32"
    merged = load(export(base, checkpoint, tmp_path / "merged", "merged")).state_dict()
    read = load(folder, gguf_file=file.name).state_dict()
    for name, weights in merged.items():
        scale = weights.abs().max()
        assert (read[name] - weights).abs().max() <= error * scale, name


def test_an_architecture_without_a_place_in_gguf_is_refused(tmp_path: Path) -> None:
    base = build_tiny_model(tmp_path / "base", "phi3")
    checkpoint = train(base, tmp_path / "checkpoint")
    with pytest.raises(InvalidDataError, match=r"^Base models of type 'phi3' cannot be written"):
        export(base, checkpoint, tmp_path / "out", "gguf")
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_that_splits_in_an_unknown_way_is_refused(tmp_path: Path) -> None:
    base = build_tiny_model(tmp_path / "base")
    file = base / "tokenizer.json"
    content = json.loads(file.read_text())
    content["pre_tokenizer"] = {"type": "Whitespace"}
    file.write_text(json.dumps(content))
    checkpoint = train(base, tmp_path / "checkpoint")
    with pytest.raises(InvalidDataError, match="tokenizer is of a kind that cannot be written"):
        export(base, checkpoint, tmp_path / "out", "gguf")


def test_nothing_is_overwritten_and_nothing_is_merged_into_another_base(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    base, checkpoint = trained
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match="is not empty; nothing was written to it"):
        export(base, checkpoint, tmp_path / "full", "merged")
    other = build_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(InvalidDataError, match="was trained on other weights"):
        export(other, checkpoint, tmp_path / "out", "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "other"]
