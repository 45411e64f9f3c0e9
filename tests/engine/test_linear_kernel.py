"""oneDNN's kernel beside torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by

from twinkle_jupyter.engine.compute_dtype import choose_compute_dtype
from twinkle_jupyter.engine.linear_kernel import multiply_by_onednn, pack_for_onednn


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN")  # type: ignore[no-untyped-call]
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_every_kernel_says_the_same(rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, 96, generator=generator) for n in (rows, 56))
    bias = torch.randn(56, generator=generator)
    with torch.inference_mode():
        for given in (None, bias):
            expected = F.linear(x, weight, given)
            torch.testing.assert_close(multiply_by_onednn(x, weight, given), expected)
        assert pack_for_onednn(weight) is None
        packed = pack_for_onednn(weight.bfloat16())
        if choose_compute_dtype(torch.bfloat16, torch.device("cpu")) != torch.bfloat16:
            assert packed is None, "there are no units for it"
            return
        assert packed is not None
        out = multiply_by_onednn(x.bfloat16(), packed, bias.bfloat16())
        torch.testing.assert_close(out.float(), F.linear(x, weight, bias), rtol=0.02, atol=0.2)
