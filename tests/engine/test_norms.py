"""Norms by hand are what architectures compute, and their backward is autograd's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from twinkle_jupyter.engine.norms import ModuleNorm, RmsNorm, choose_norm


def test_the_backward_of_an_rms_norm_is_autograd_s() -> None:
    generator = torch.Generator().manual_seed(0)
    x, grad_out = (torch.randn(5, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    weight = torch.randn(7, generator=generator, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    expected = leaf * torch.rsqrt(leaf.square().mean(dim=1, keepdim=True) + 1e-3) * weight
    (expected_grad,) = torch.autograd.grad(expected, leaf, grad_out)

    norm = RmsNorm(weight, 1e-3)
    out, kept = norm.forward(x)
    torch.testing.assert_close(out, expected.detach(), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(norm.recompute(x, kept), out, rtol=0, atol=0)
    grad = norm.backward(grad_out.clone(), x, kept)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (LlamaRMSNorm(16), RmsNorm),
        (Gemma2RMSNorm(16), RmsNorm),
        (nn.LayerNorm(16), ModuleNorm),
        (nn.RMSNorm(16, eps=1e-5), RmsNorm),
    ],
    ids=["llama", "gemma", "layer norm", "torch"],
)
def test_a_norm_is_chosen_by_what_it_computes(module: nn.Module, kind: type[object]) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = module.get_parameter("weight").detach()
    weight.copy_(torch.randn(16, generator=generator))
    module.requires_grad_(requires_grad=False)
    norm = choose_norm(module, torch.float32)
    assert type(norm) is kind
    x = torch.randn(3, 16, generator=generator)
    leaf = x.clone().requires_grad_()
    expected = module(leaf)
    (expected_grad,) = torch.autograd.grad(expected.sum(), leaf)
    out, kept = norm.forward(x)
    torch.testing.assert_close(out, expected.detach())
    torch.testing.assert_close(norm.backward(torch.ones(3, 16), x, kept), expected_grad)


def test_in_fp64_an_architecture_keeps_its_own_roundings() -> None:
    assert isinstance(choose_norm(LlamaRMSNorm(16), torch.float64), ModuleNorm)
