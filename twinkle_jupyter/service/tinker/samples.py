"""Samples that clients asked for: written beside everything else, and kept for a while.

The process that takes one in writes it, and says in the store who it is before it answers. What
came of it is in the store before anybody is told, so that every process tells the same, as often as
it is asked. Where the one that was writing is gone, clients hear that the sample is, and submit
it again by themselves.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from twinkle_jupyter.errors import ServiceUnavailableError, TwinkleError
from twinkle_jupyter.runtime.handles import SamplerHandle
from twinkle_jupyter.service.clients.presence import Presence
from twinkle_jupyter.service.error_bodies import log_unexpected
from twinkle_jupyter.service.quotas import Admission, Quotas
from twinkle_jupyter.service.tinker.completions import Completions
from twinkle_jupyter.service.tinker.own_sample import OwnSample, need_room
from twinkle_jupyter.service.tinker.reply import Reply
from twinkle_jupyter.service.tinker.sample_news import SampleKey, SampleNews
from twinkle_jupyter.service.tinker.sample_outcomes import answered, failed, reply_of
from twinkle_jupyter.service.tinker.sample_requests import SampleOrder, write_sample
from twinkle_jupyter.service.writing_places import WritingPlaces
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.sample_rows import SampleRow
from twinkle_jupyter.wire.tinker_samples import SampledTokens

_LOGGER = logging.getLogger(__name__)

#: Seconds that an answer is kept once it is there.
_KEPT_S = 600.0
#: Seconds that one may be waited for and written.
_LONGEST_S = 4 * 3600.0
#: Nobody waits longer for another process's without looking.
_LOOK_AGAIN_S = 2.0
_PAUSE_S = 1.0
#: For answers that are there to come into the store when the service ends.
_LEAVE_S = 2.0


class GoneError(TwinkleError):
    """It is not known any more; the client submits it again."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be written, by whom, and what it counts towards."""

    order: SampleOrder
    sampler: SamplerHandle
    admission: Admission


class Samples:
    """As one of the processes that share a store sees them.

    Args:
        store: Where what came of each is told.
        quotas: Of users.
        places: For answers that are being written.
    """

    def __init__(self, store: StateStore, quotas: Quotas, places: WritingPlaces) -> None:
        self._store = store
        self._quotas = quotas
        self._writing: dict[SampleKey, OwnSample] = {}
        self._places = places
        self._presence = Presence(store)
        self._news = SampleNews(store, self._cancel_own)
        #: For who waits for many at once.
        self.completions = Completions()

    async def submit(
        self, owner: str, name: str, order: SampleOrder, sampler: SamplerHandle
    ) -> None:
        """Begin to write an answer; the same name again changes nothing, wherever it is sent.

        Raises:
            QuotaExceededError: There are as many as the service takes, or this user has as much as
                they may.
            InvalidDataError: The prompt is too long.
            ServiceUnavailableError: The store is away.
        """
        key = (owner, name)
        if key in self._writing:
            return
        need_room(self._writing, owner, order.num_samples)
        row = SampleRow(owner, name, self._presence.process_id)
        stored, stored_row = SampleRow.key(owner, name), row.to_row()
        with ExitStack() as undo:
            writing = self._writing[key] = OwnSample(order.num_samples)
            undo.callback(self._writing.pop, key)
            await self._presence.begin()
            undo.callback(self._presence.end)
            if await self._store.put_if_absent(stored, stored_row, ttl_s=_LONGEST_S):
                try:
                    admission = await self._quotas.admit_prompts(
                        owner, [order.request.prompt], name
                    )
                except TwinkleError:
                    await self._store.replace(stored, stored_row, stored_row, ttl_s=0.0)
                    raise
                work = self._bring(row, writing, _Work(order, sampler, admission))
                writing.task = asyncio.create_task(work, name=name)
                undo.pop_all()

    async def retrieve(
        self, owner: str, name: str, hold_s: float, *, as_protobuf: bool
    ) -> Reply | None:
        """Return the answer, or None when it takes longer than `hold_s`.

        Raises:
            GoneError: There is no such sample, or no more.
            ServiceUnavailableError: The store is away.
        """
        key = (owner, name)
        if key not in self._writing:
            row = await self._read(owner, name)
            if row.state != "writing":
                return reply_of(row, as_protobuf=as_protobuf)
        async with self._news.expecting(key, elsewhere=key not in self._writing) as news:
            return await self._wait(key, news, hold_s, as_protobuf=as_protobuf)

    async def _wait(
        self, key: SampleKey, news: asyncio.Event, hold_s: float, *, as_protobuf: bool
    ) -> Reply | None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + hold_s
        while True:
            news.clear()  # before looking: nothing comes unseen in between
            wait_s = deadline - clock()
            if key not in self._writing:
                row = await self._read(*key)
                if row.state != "writing":
                    return reply_of(row, as_protobuf=as_protobuf)
                wait_s = min(wait_s, _LOOK_AGAIN_S)
            if deadline <= clock():
                return None
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await news.wait()

    async def cancel(self, owner: str, name: str) -> None:
        """Stop writing it, within a token; what is not known, or over, stays so."""
        if (writing := self._writing.get((owner, name))) is not None:
            writing.cancel()
            return
        stored = await self._store.get(SampleRow.key(owner, name))
        row = None if stored is None else SampleRow.from_row(stored)
        if row is not None and row.state == "writing":
            await self._change(row, row.changed(state="cancelled"))

    async def leave(self) -> None:
        """End what this process writes; whoever waits for it elsewhere hears that it is gone."""
        writing = [one for one in self._writing.values() if one.task is not None]
        tasks = [one.task for one in writing if one.task is not None]
        for one, task in zip(writing, tasks, strict=True):
            if not one.is_over:
                task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LEAVE_S)
            for task in late:
                task.cancel()
            with suppress(ServiceUnavailableError):
                await self._presence.leave()

    async def _bring(self, row: SampleRow, writing: OwnSample, work: _Work) -> None:
        key = (row.owner, row.name)
        try:
            try:
                writing.begin()
                async with self._news.listening():  # somebody may cancel it elsewhere
                    done = await self._outcome(row, work)
            except asyncio.CancelledError:
                if not writing.is_cancelled:
                    raise
                done = row.changed(state="cancelled")
                await self._count(work, [])
            writing.is_over = True
            await self._keep(row, done)
            self.completions.note(*key, has_failed=done.state != "done")
        finally:
            self._writing.pop(key, None)
            self._presence.end()
            self._news.wake(key)

    async def _outcome(self, row: SampleRow, work: _Work) -> SampleRow:
        try:
            samples = await self._write_and_count(work)
            return await asyncio.to_thread(answered, row, samples, work.order.prompt)
        except TwinkleError as error:
            return failed(row, error)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, told by its id
            return failed(row, log_unexpected(error))

    async def _write_and_count(self, work: _Work) -> list[SampledTokens]:
        samples: list[SampledTokens] = []
        try:
            samples = await self._write(work.order, work.sampler)
        finally:
            await self._count(work, samples)
        return samples

    async def _count(self, work: _Work, samples: list[SampledTokens]) -> None:
        # What is written is not lost over what it counts; that is let go in time.
        with suppress(ServiceUnavailableError):
            await work.admission.finish(sum(len(sample.tokens) for sample in samples))

    async def _write(self, order: SampleOrder, sampler: SamplerHandle) -> list[SampledTokens]:
        async def write(number: int) -> SampledTokens:
            async with self._places.one(order.request.user):
                return await write_sample(sampler, order, number)

        try:
            async with asyncio.TaskGroup() as tasks:
                written = [tasks.create_task(write(number)) for number in range(order.num_samples)]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in written]

    async def _keep(self, row: SampleRow, done: SampleRow) -> None:
        """Bring an outcome into the store, however long that is away."""
        deadline = asyncio.get_running_loop().time() + _KEPT_S
        while True:
            try:
                return await self._change(row, done)
            except ServiceUnavailableError as error:
                _LOGGER.warning("sample %s waits for the store: %s", row.name, error)
                if asyncio.get_running_loop().time() > deadline:
                    return None
            await asyncio.sleep(_PAUSE_S)

    async def _change(self, before: SampleRow, after: SampleRow) -> None:
        """Write what is final, unless something else is, and tell everybody."""
        key = SampleRow.key(before.owner, before.name)
        if await self._store.replace(key, before.to_row(), after.to_row(), ttl_s=_KEPT_S):
            self._writing.pop((before.owner, before.name), None)
            await self._news.tell(after)

    async def _read(self, owner: str, name: str) -> SampleRow:
        """Return a sample that is over, or that somebody writes."""
        key = SampleRow.key(owner, name)
        stored, looked_at = await self._store.get(key), None
        while stored is not None:
            row = SampleRow.from_row(stored)
            if row.state != "writing" or await self._is_written(row):
                return row
            if stored == looked_at:
                await self._store.replace(key, stored, stored, ttl_s=0.0)
                break
            # Who wrote it may have come to an end since it was read.
            stored, looked_at = await self._store.get(key), stored
        raise GoneError(f"Sample {name!r} is not known any more.", "Submit it again.")

    async def _is_written(self, row: SampleRow) -> bool:
        if row.by == self._presence.process_id:
            return (row.owner, row.name) in self._writing
        return await self._presence.is_there(row.by)

    def _cancel_own(self, key: SampleKey) -> None:
        if (writing := self._writing.get(key)) is not None:
            writing.cancel()
