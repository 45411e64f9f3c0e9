"""A call that hangs holds up nobody else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.launch.apart import CallsApart


async def test_a_call_that_hangs_is_given_up_and_others_are_answered() -> None:
    calls, gate = CallsApart("Ray"), threading.Event()
    hanging = [asyncio.create_task(calls.call(lambda: gate.wait(30), 0.05)) for _ in range(15)]
    for one in hanging:
        with pytest.raises(ServiceUnavailableError, match="Ray does not answer"):
            await one
    assert await calls.call(lambda: 7, 5) == 7
    # One more may hang; the next is not even begun.
    with pytest.raises(ServiceUnavailableError):
        await calls.call(lambda: gate.wait(30), 0.05)
    with pytest.raises(ServiceUnavailableError):
        await calls.call(lambda: 7, 5)
    # What hung has come back, and its places are free again.
    gate.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await calls.call(lambda: 8, 1) == 8
            except ServiceUnavailableError:
                await asyncio.sleep(0.01)
            else:
                break


async def test_what_the_call_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        await CallsApart("Ray").call(fail, 5)
