"""Answers that count for a while: asked for once, bounded, forgotten in time."""

from __future__ import annotations

import asyncio

import pytest

from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.service.remembered_answers import (
    MAX_ASKED,
    MAX_KNOWN,
    MAX_UNKNOWN,
    RememberedAnswers,
)


class Oracle:
    """Answers when it is let, and counts."""

    def __init__(self) -> None:
        self.now = 100.0
        self.num_asked = 0
        self.answer: str | None = "anna"
        self.is_let = asyncio.Event()
        self.is_let.set()
        self.answers = RememberedAnswers[str](30, 2, lambda: self.now)

    async def ask(self) -> str | None:
        self.num_asked += 1
        await self.is_let.wait()
        if self.answer == "down":
            raise ServiceUnavailableError("The Hub is down.")
        return self.answer

    async def get(self, key: str = "a") -> str | None:
        return await self.answers.get(key, self.ask)


async def test_an_answer_counts_from_when_it_was_asked_for() -> None:
    oracle = Oracle()
    oracle.is_let.clear()
    first = asyncio.create_task(oracle.get())
    await asyncio.sleep(0)
    oracle.now += 4
    oracle.is_let.set()
    assert await first == "anna"
    oracle.answer = None
    oracle.now = 129.9
    assert await oracle.get() == "anna"
    oracle.now = 130.0
    assert await oracle.get() is None
    assert oracle.num_asked == 2
    oracle.answer, oracle.now = "anna", 131.9
    assert await oracle.get() is None, "that there is nothing counts, too, but not for long"
    oracle.now = 132.0
    assert await oracle.get() == "anna"


async def test_who_ask_at_once_wait_for_one_answer_and_who_leaves_takes_it_from_nobody() -> None:
    oracle = Oracle()
    oracle.is_let.clear()
    waiting = [asyncio.create_task(oracle.get()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    oracle.is_let.set()
    assert set(await asyncio.gather(*waiting[1:])) == {"anna"}
    assert oracle.num_asked == 1


async def test_what_is_known_counts_while_nobody_answers_and_no_failure_is_remembered() -> None:
    oracle = Oracle()
    await oracle.get("a")
    oracle.answer = "down"
    assert await oracle.get("a") == "anna"
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError, match="down"):
            await oracle.get("b")
    oracle.answer = "ben"
    assert await oracle.get("b") == "ben"


async def test_guesses_push_out_nothing_that_is_known_and_all_is_bounded() -> None:
    oracle = Oracle()
    await oracle.get("mine")
    oracle.answer = None
    for number in range(MAX_UNKNOWN + 50):
        await oracle.get(f"guess {number}")
    oracle.answer = "ben"
    asked = oracle.num_asked
    assert await oracle.get("mine") == "anna"
    assert oracle.num_asked == asked
    for number in range(MAX_KNOWN):
        await oracle.get(f"user {number}")
    assert await oracle.get("mine") == "ben", "the oldest of what is known has made room"
    oracle.is_let.clear()
    waiting = [asyncio.create_task(oracle.get(f"new {n}")) for n in range(MAX_ASKED)]
    await asyncio.sleep(0)
    with pytest.raises(ServiceUnavailableError, match="Too many"):
        await oracle.get("one more")
    oracle.is_let.set()
    await asyncio.gather(*waiting)
