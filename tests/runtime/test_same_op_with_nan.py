"""An op with a nan where there is no weight may be sent again like any other."""

from __future__ import annotations

import math

from tests.runtime.lives import SPECS, A, Home
from twinkle_jupyter.example import Example
from twinkle_jupyter.runtime.op_codec import decode_op, encode_op
from twinkle_jupyter.scheduling.request import ForwardBackward

PROMPT_HAS_NAN = ForwardBackward(
    A,
    2,
    (Example((5, 6, 7), (6, 7, 8), (0.0, 1.0, 1.0), (0.0, 1.0, 1.0), (math.nan, -1.0, -1.0)),),
    "importance_sampling",
)


def again() -> ForwardBackward:
    """The same bytes in another process."""
    op = decode_op(A, 2, encode_op(PROMPT_HAS_NAN))
    assert isinstance(op, ForwardBackward)
    assert encode_op(op) == encode_op(PROMPT_HAS_NAN)
    return op


async def test_the_same_op_is_the_same_though_it_has_a_nan(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await trainer.accept(again())  # waits for op 1
        await trainer.accept(again())  # its answer was lost on the way, and it is sent again


async def test_and_so_it_is_in_the_next_life(home: Home) -> None:
    async with home.trainer() as trainer:
        await trainer.create_adapter(A, SPECS[A])
        await trainer.accept(again())
    async with home.trainer() as trainer:
        await trainer.accept(again())  # `service.clients.handing_over` does, after a death
