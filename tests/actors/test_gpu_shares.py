"""Who gets how much of a GPU."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.actors.gpu_shares import GpuShares, share_gpus
from twinkle_jupyter.errors import InvalidConfigError


@pytest.mark.parametrize(
    ("free", "num_samplers", "shares"),
    [
        (0, 1, GpuShares(0, 0)),  # a laptop
        (1, 1, GpuShares(0.5, 0.5)),  # both on one
        (2, 1, GpuShares(0.5, 1.0)),
        (4, 3, GpuShares(0.5, 1.0)),
        (0.5, 1, GpuShares(0.25, 0.25)),  # a second base model, or a MIG slice
    ],
)
def test_where_nobody_says_the_gpus_are_shared_out(
    free: float, num_samplers: int, shares: GpuShares
) -> None:
    assert share_gpus(free, num_samplers, None, None) == shares


def test_what_is_said_is_done_or_refused() -> None:
    assert share_gpus(2, 2, 1.0, 0.25) == GpuShares(1.0, 0.25)
    assert share_gpus(1, 1, 0.0, 1.0) == GpuShares(0.0, 1.0)  # the trainer on the processor
    with pytest.raises(InvalidConfigError, match=r"ask for 1\.5 GPUs; 1 are free"):
        share_gpus(1, 1, 0.5, 1.0)


@given(st.integers(0, 800), st.integers(1, 64), st.none() | st.floats(0, 1))
def test_shares_that_were_not_said_always_fit(
    hundredths: int, num_samplers: int, trainer: float | None
) -> None:
    free = hundredths / 100
    if trainer is not None and trainer > free:
        return
    shares = share_gpus(free, num_samplers, trainer, None)
    assert shares.trainer + num_samplers * shares.sampler <= free + 1e-6
