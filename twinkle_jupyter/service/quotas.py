"""Quotas of users: counted in the store, so that all replicas count together.

A limit of 0 is none, and nothing is read or written for it. What a limit refuses has changed
nothing, and is told with the user's own numbers.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

from twinkle_jupyter.config.limits import Limits, UserLimits
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, QuotaExceededError
from twinkle_jupyter.service.adapter_count import names_of_adapters
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.limit_book import LimitBook
from twinkle_jupyter.service.limit_use import LimitUse, limits_in_use
from twinkle_jupyter.service.live_limits import LiveLimits
from twinkle_jupyter.service.quota_rows import (
    Queue,
    held_of,
    queued_of,
    row_key,
    slots_of,
    token_row,
)
from twinkle_jupyter.service.sliding_window import MINUTE, SECOND, Slots
from twinkle_jupyter.store.interface import JSON, Row, StateStore

#: Work that nobody reported as done counts as queued for so long: its service may have died.
HELD_S = 900.0
#: What a request that makes an adapter gets to write it down.
_PLACE_HELD_S = 60.0
#: Users whose newest refusal is known.
_MAX_REFUSALS = 1024
#: Of a limit that waiting alone does not mend.
NEVER = math.inf


def _wall_clock() -> float:
    return datetime.now(tz=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Admission:
    """Work that was let in; whoever does it tells when it is done."""

    quotas: Quotas
    owner: str
    #: As it is queued; empty for what is not counted there.
    work: str = ""

    async def finish(self, written: int = 0) -> None:
        """It is answered, with so many tokens."""
        await self.quotas.finish(self.owner, self.work, written)


class Quotas:
    """Of one service.

    Args:
        store: Where all replicas count. What is counted need not survive a power cut.
        limits: Of everybody, and of single users and groups.
        clock: Seconds since 1970, the same on all replicas.
    """

    def __init__(
        self, store: StateStore, limits: Limits, clock: Callable[[], float] = _wall_clock
    ) -> None:
        self._store = store
        self.book = LimitBook(LiveLimits(store, limits))
        self._clock = clock
        self._refused: dict[str, tuple[float, str]] = {}

    def limits_of(self, owner: str) -> UserLimits:
        """Return what a user may have whose request is being answered."""
        return self.book.of(owner)

    async def admit_request(self, asker: Asker) -> None:
        """Count a request; raises QuotaExceededError for one too many in a second."""
        limit = (await self.book.see(asker)).requests_per_second
        if not limit:
            return
        now = self._clock()

        def change(row: Row | None) -> Row:
            slots = slots_of(row)
            wait_s = SECOND.frees_in(slots, now, 1, limit)
            if wait_s:
                used = sum(SECOND.live(slots, now).values())
                raise QuotaExceededError(
                    f"requests_per_second={limit} is used up: {used} in the last second.",
                    f"Try again in {wait_s:.1f} s.",
                    retry_after_s=wait_s,
                )
            return {"slots": SECOND.add(slots, now, 1)}

        await self._store.update(row_key("requests", asker.owner), change)

    def check_length(self, owner: str, what: str, length: int) -> None:
        """See that a row or prompt is not too long; raises InvalidDataError."""
        limit = self.limits_of(owner).longest_input
        if limit and length > limit:
            raise InvalidDataError(
                f"{what} has {length} tokens, and longest_input={limit} is the limit here.",
                "Send it in shorter pieces.",
            )

    def check_possible(self, owner: str, amount: int) -> None:
        """See that so many tokens can ever be let in at once; raises InvalidDataError."""
        for name in ("tokens_per_minute", "queued_tokens"):
            limit: int = getattr(self.limits_of(owner), name)
            if limit and amount > limit:
                raise InvalidDataError(
                    f"This has {amount} tokens, and {name}={limit} is all there is for one user.",
                    "Send it in smaller pieces.",
                )

    def check_max_length(self, owner: str, max_length: int) -> None:
        """See that a run's rows are not too long; raises InvalidConfigError."""
        limit = self.limits_of(owner).longest_input
        if limit and max_length > limit:
            raise InvalidConfigError(
                f"`max_length={max_length}` is more than longest_input={limit}, the limit here.",
                f"Cut rows earlier: --max-length {limit}.",
            )

    async def admit_prompts(
        self, owner: str, prompts: Sequence[Sequence[int]], work: str = ""
    ) -> Admission:
        """Count what a request gives to read; raises as `check_length` and `admit_tokens`."""
        for number, prompt in enumerate(prompts, start=1):
            what = "The prompt" if len(prompts) == 1 else f"Prompt {number}"
            self.check_length(owner, what, len(prompt))
        return await self.admit_tokens(owner, sum(map(len, prompts)), work)

    async def admit_tokens(
        self,
        owner: str,
        amount: int,
        work: str = "",
        unblocks: Callable[[Iterable[str]], bool] = lambda _: False,
    ) -> Admission:
        """Count tokens that are to be read; `work` again changes nothing while it is queued.

        Args:
            owner: Whose they are.
            amount: How many.
            work: A name for it.
            unblocks: Whether some of the work that is queued waits for this: then it need not wait
                for a place in the queue, which would be for ever.

        Raises:
            QuotaExceededError: They are more than the user may have now.
            InvalidDataError: They are more than anybody may ever have at once.
        """
        work = work or uuid4().hex
        limits = self.limits_of(owner)
        if not (limits.tokens_per_minute or limits.queued_tokens) or not amount:
            return Admission(self, owner)
        self.check_possible(owner, amount)
        now = self._clock()

        def change(row: Row | None) -> Row:
            slots, queued = slots_of(row), queued_of(row, now)
            if work in queued:
                return token_row(slots, queued)
            _check_minute(limits, slots, now, amount)
            if not unblocks(queued):
                _check_queue(limits, queued, amount)
            if limits.tokens_per_minute:
                slots = MINUTE.add(slots, now, amount)
            if limits.queued_tokens:
                queued[work] = (amount, now + HELD_S)
            return token_row(slots, queued)

        try:
            await self._store.update(row_key("tokens", owner), change)
        except QuotaExceededError as error:
            self._note_refusal(owner, now, error)
            raise
        return Admission(self, owner, work if limits.queued_tokens else "")

    async def finish(self, owner: str, work: str, written: int = 0) -> None:
        """The work is answered: it is queued no longer, and what it wrote counts.

        What was queued under a limit leaves the queue, also when there is none any more.
        """
        counts_written = bool(self.limits_of(owner).tokens_per_minute and written)
        if not work and not counts_written:
            return
        now = self._clock()

        def change(row: Row | None) -> Row:
            slots, queued = slots_of(row), queued_of(row, now)
            queued.pop(work, None)
            return token_row(MINUTE.add(slots, now, written) if counts_written else slots, queued)

        await self._store.update(row_key("tokens", owner), change)

    @asynccontextmanager
    async def room_for_adapters(self, owner: str, names: Iterable[str]) -> AsyncGenerator[None]:
        """Hold a place for adapters until the block has written them down.

        Raises:
            QuotaExceededError: The user has as many as they may.
        """
        limit, wanted = self.limits_of(owner).adapters, frozenset(names)
        if not limit:
            yield
            return
        now, mine = self._clock(), uuid4().hex
        key = row_key("adapters", owner)

        def hold(row: Row | None) -> Row:
            place: JSON = {"id": mine, "names": sorted(wanted), "until": now + _PLACE_HELD_S}
            return {"held": [*held_of(row, now), place]}

        def let_go(row: Row | None) -> Row:
            return {"held": [one for one in held_of(row, now) if one["id"] != mine]}

        held = held_of(await self._store.update(key, hold), now)
        try:
            # Looked up only now: whoever was before is either written down or holds a place.
            used = await names_of_adapters(self._store, owner)
            for one in held[: [place["id"] for place in held].index(mine)]:
                used |= set(cast("list[str]", one["names"]))
            if wanted - used and len(used | wanted) > limit:
                raise QuotaExceededError(
                    f"adapters={limit} is used up: there are {len(used)}, and this makes"
                    f" {len(wanted - used)} more.",
                    "Delete one (`%twinkle adapters` lists those by name), or end the session of a"
                    " client that holds some.",
                    retry_after_s=NEVER,
                )
            yield
        finally:
            await self._store.update(key, let_go)

    async def usage(self, owner: str) -> list[LimitUse]:
        """Return all limits with what this user has of each."""
        return await limits_in_use(self._store, self.limits_of(owner), owner, self._clock())

    def pause_of(self, owner: str) -> str:
        """Return why this user's work was refused a moment ago; empty if it was not."""
        until, why = self._refused.get(owner, (0.0, ""))
        return why if self._clock() < until else ""

    def _note_refusal(self, owner: str, now: float, error: QuotaExceededError) -> None:
        self._refused.pop(owner, None)
        if len(self._refused) >= _MAX_REFUSALS:
            del self._refused[next(iter(self._refused))]
        self._refused[owner] = (now + max(error.retry_after_s or 0.0, 5.0), str(error))


def _check_minute(limits: UserLimits, slots: Slots, now: float, amount: int) -> None:
    limit = limits.tokens_per_minute
    if not limit:
        return
    wait_s = MINUTE.frees_in(slots, now, amount, limit)
    if wait_s:
        used = sum(MINUTE.live(slots, now).values())
        raise QuotaExceededError(
            f"tokens_per_minute={limit} is used up: {used} in the last minute, and this has"
            f" {amount}.",
            f"There is room for it in {math.ceil(wait_s)} s.",
            retry_after_s=wait_s,
        )


def _check_queue(limits: UserLimits, queued: Queue, amount: int) -> None:
    limit = limits.queued_tokens
    used = sum(tokens for tokens, _ in queued.values())
    if not limit or used + amount <= limit:
        return
    raise QuotaExceededError(
        f"queued_tokens={limit} is used up: {used} wait in {len(queued)} requests, and this has"
        f" {amount}.",
        "Wait for answers before sending more.",
    )
