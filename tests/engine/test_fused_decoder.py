"""A decoder is taken over where that changes nothing, and left alone elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.engine.conftest import example
from tests.tiny_model import Kind, build_tiny_model
from twinkle_jupyter.engine.adapter_bank import AdapterBank
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.fused_pass import FusedPass
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import AdapterSpec, ForwardBackward

A = AdapterId("a")
ROWS = (example(5, 6, 7, 8, 9, 1), example(5, 6, 7, 3), example(5, 6), example(11, 12, 13))


def _train(fused_pass: FusedPass, rows: object = ROWS) -> tuple[Tensor, float]:
    """Return gradient and loss of an adapter whose B is not zero."""
    bank = AdapterBank(fused_pass.sites, torch.float32, torch.device("cpu"))
    slot = bank.create(A, AdapterSpec(rank=3, alpha=6.0, seed=1))
    generator = torch.Generator().manual_seed(0)
    slot.parameters.add_(torch.randn(slot.parameters.shape, generator=generator) * 0.1)
    assert isinstance(rows, tuple)
    sums = fused_pass.compute([ForwardBackward(A, 1, rows)], {A: slot}, is_training=True)
    return slot.gradient.clone(), sums.ops[0].loss


@pytest.mark.parametrize(
    "kind", ["llama", "qwen", "qwen3", "gemma", "gemma2", "mistral", "phi3", "smollm3"]
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_known_architectures_are_taken_over(kind: Kind, dtype: str, tmp_path: Path) -> None:
    base = load_base_model(build_tiny_model(tmp_path, kind), dtype)
    assert FusedPass(base, 100).is_packed


def test_other_layers_stay_as_they_are(tmp_path: Path) -> None:
    base = load_base_model(build_tiny_model(tmp_path, "neox"))
    assert not FusedPass(base, 100).is_packed


class _Louder(nn.Module):
    """An MLP that has the parts of Llama's and says something else."""

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        for name, part in original.named_children():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.get_submodule("act_fn")(self.get_submodule("gate_proj")(x))
        out: Tensor = self.get_submodule("down_proj")(gate * self.get_submodule("up_proj")(x))
        return 1.5 * out


def test_a_layer_that_only_looks_known_stays_as_it_is(tiny_model: Path) -> None:
    base = load_base_model(tiny_model)
    layer = base.model.get_submodule("model.layers.1")
    assert isinstance(layer, nn.Module)
    layer.mlp = _Louder(layer.get_submodule("mlp"))
    odd = FusedPass(base, 100)
    assert not odd.is_packed
    gradient, loss = _train(odd)
    usual_gradient, usual_loss = _train(FusedPass(load_base_model(tiny_model), 100))
    assert abs(loss - usual_loss) > 0.1
    assert gradient.shape == usual_gradient.shape
    assert gradient.isfinite().all()


def test_computing_twice_instead_of_keeping_gives_the_same_gradient(tiny_model: Path) -> None:
    keeping = _train(FusedPass(load_base_model(tiny_model), 100))
    again = _train(FusedPass(load_base_model(tiny_model), 100, checkpoints=True))
    assert torch.equal(keeping[0], again[0])
    assert keeping[1] == again[1]


def test_sharing_a_beginning_changes_nothing_but_rounding(tiny_model: Path) -> None:
    shared, loss = _train(FusedPass(load_base_model(tiny_model), 100))
    # A budget of one row leaves nobody to share with.
    apart, same_loss = _train(FusedPass(load_base_model(tiny_model), 1))
    assert loss == pytest.approx(same_loss, rel=1e-6)
    torch.testing.assert_close(shared, apart, rtol=1e-4, atol=1e-5)


def test_bf16_stays_near_fp32(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path, "llama")
    exact, loss = _train(FusedPass(load_base_model(folder), 100))
    rough, rough_loss = _train(FusedPass(load_base_model(folder, "bfloat16"), 100))
    assert rough_loss == pytest.approx(loss, rel=2e-2)
    assert torch.nn.functional.cosine_similarity(rough, exact, dim=0) > 0.98
