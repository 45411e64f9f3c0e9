"""Whose answers are written at once: one who asks for everything leaves some to whoever comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from random import Random

import pytest

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.writing_places import WritingPlaces, check_count


class Answers:
    """Those that have begun, and that end when they are told to."""

    def __init__(self, places: WritingPlaces) -> None:
        self.places = places
        self.open: dict[str, list[asyncio.Event]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def ask(self, user: str, count: int) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._write(user)) for _ in range(count)]
        self.tasks.update(tasks)
        return tasks

    async def _write(self, user: str) -> None:
        async with self.places.one(user):
            end = asyncio.Event()
            self.open.setdefault(user, []).append(end)
            try:
                await end.wait()
            finally:
                self.open[user].remove(end)

    def num_open(self, user: str) -> int:
        return len(self.open.get(user, ()))

    async def end(self, user: str, count: int) -> None:
        for event in self.open[user][:count]:
            event.set()
        await settle()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_who_comes_finds_as_many_as_the_one_before_left() -> None:
    answers = Answers(WritingPlaces(64))
    for user, expected in (("anna", 32), ("ben", 16), ("cleo", 8), ("dan", 4)):
        answers.ask(user, 100)
        await settle()
        assert answers.num_open(user) == expected
    answers.ask("eve", 1)
    await settle()
    assert answers.num_open("eve") == 1
    # What anna's answers leave is given by turns, until each has as many as are left.
    await answers.end("anna", 32)
    shares = [answers.num_open(user) for user in ("anna", "ben", "cleo", "dan")]
    assert shares == [12, 16, 12, 12]
    assert answers.places.num_free == 11
    await answers.close()
    assert answers.places.num_free == 64


async def test_whoever_leaves_takes_no_place_with_them() -> None:
    random = Random(5)  # noqa: S311 - an order of events
    places = WritingPlaces(8)
    answers, counts = Answers(places), Counter[str]()
    for _ in range(400):
        user = random.choice("abc")
        match random.randrange(3):
            case 0:
                answers.ask(user, random.randrange(1, 4))
            case 1:
                task = random.choice([*answers.tasks, asyncio.create_task(asyncio.sleep(0))])
                task.cancel()
                if random.random() < 0.5:
                    await asyncio.sleep(0)
            case _ if answers.num_open(user):
                await answers.end(user, 1)
        counts = Counter({name: answers.num_open(name) for name in "abc"})
        assert counts.total() <= 8
    await answers.close()
    assert places.num_free == 8
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1), places.one("d"):
            return
    pytest.fail("no place was given")


def test_one_request_asks_for_no_more_than_can_be_kept_in_mind() -> None:
    check_count(256, 16)
    with pytest.raises(InvalidConfigError, match="300 prompts with 16 answers each are more than"):
        check_count(300, 16)
