"""A `StateStore` over the actor that keeps it, from any process of the cluster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Self, TypeVar, cast

from twinkle_jupyter.actors.names import STORE_ACTOR
from twinkle_jupyter.actors.ray_handles import NamedActor
from twinkle_jupyter.actors.store_actor import WAITS
from twinkle_jupyter.errors import ServiceUnavailableError
from twinkle_jupyter.store.interface import LogEntry, Row
from twinkle_jupyter.store.row_text import dump_row, load_row

T = TypeVar("T")

#: One call.
_ANSWER_S = 30.0
#: A call that waits for news is begun again after so long.
_LOOK_AGAIN_S = 2.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.1


class RayStore:
    """Rows and logs in an actor; see `StateStore` for what each call promises.

    Nothing of it is on a disk: an entry is as durable as the cluster. Every call raises
    `ServiceUnavailableError` when the actor is gone, which it stays, or the store was closed.
    """

    def __init__(self, actor: NamedActor) -> None:
        self._actor = actor
        self._closed = asyncio.Event()

    @classmethod
    def open(cls, name: str = STORE_ACTOR) -> Self:
        """Find the store that `store_actor.place_store` made.

        Raises:
            ServiceUnavailableError: There is none.
        """
        return cls(NamedActor(name))

    async def get(self, key: str) -> Row | None:
        """Return the row, or None."""
        return (await self.get_many((key,)))[0]

    async def get_many(self, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows of these keys, in their order, as they are at one moment."""
        return cast("list[Row | None]", await self._ask(list, "get_many", list(keys)))

    async def put(self, key: str, row: Row, *, ttl_s: float | None = None) -> None:
        """Write the row, whatever was there."""
        dump_row(row)  # what cannot be kept is refused here
        self._refuse_if_closed()
        await self._actor.tell(_ANSWER_S, "put", key, row, ttl_s)

    async def put_if_absent(self, key: str, row: Row, *, ttl_s: float | None = None) -> bool:
        """Write the row unless the key has one; tell whether it was written."""
        dump_row(row)
        return await self._ask(bool, "put_if_absent", key, row, ttl_s)

    async def replace(
        self, key: str, before: Row, after: Row, *, ttl_s: float | None = None
    ) -> bool:
        """Write `after` if the row is `before`; tell whether it was."""
        dump_row(after)
        return await self._ask(bool, "replace", key, before, after, ttl_s)

    async def update(self, key: str, change: Callable[[Row | None], Row]) -> Row:
        """Replace the row by `change(row)`; again from the beginning if another one was faster."""
        pause_s = _SHORTEST_PAUSE_S
        while True:
            self._refuse_if_closed()
            before = await self._actor.ask_or_none(str, _ANSWER_S, "get_text", key)
            row = change(None if before is None else load_row(before))
            if await self._ask(bool, "swap_text", key, before, dump_row(row)):
                return row
            await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def delete(self, key: str) -> bool:
        """Remove the row; tell whether there was one."""
        return await self._ask(bool, "delete", key)

    async def list_rows(self, prefix: str) -> list[tuple[str, Row]]:
        """Return keys and rows whose key starts with `prefix`, in key order."""
        return cast("list[tuple[str, Row]]", await self._ask(list, "list_rows", prefix))

    async def append(self, log: str, entry: Row) -> int:
        """Add an entry; return its position."""
        return await self.append_all(log, (entry,))

    async def append_all(self, log: str, entries: Sequence[Row]) -> int:
        """Add entries in their order, all or none; return the last one's position."""
        for entry in entries:
            dump_row(entry)
        return await self._ask(int, "append_all", log, list(entries))

    async def truncate(self, log: str, through: int) -> None:
        """Forget the entries up to and with this position; the newest one always stays."""
        self._refuse_if_closed()
        await self._actor.tell(_ANSWER_S, "truncate", log, through)

    async def read(self, log: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return up to `limit` entries with a position greater than `after`, in order."""
        return cast("list[LogEntry]", await self._ask(list, "read", log, after, limit))

    async def last_position(self, log: str) -> int:
        """Return the newest entry's position, 0 for an empty log."""
        return await self._ask(int, "last_position", log)

    async def wait(self, log: str, after: int, timeout_s: float) -> bool:
        """Wait for an entry beyond `after`; False when time is over, or on `close`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self._closed.is_set():
            remaining = max(0.0, deadline - asyncio.get_running_loop().time())
            look_s = min(remaining, _LOOK_AGAIN_S)
            look = asyncio.create_task(
                self._actor.ask_apart(bool, WAITS, _ANSWER_S, "wait", log, after, look_s)
            )
            closing = asyncio.create_task(self._closed.wait())
            try:
                await asyncio.wait({look, closing}, return_when=asyncio.FIRST_COMPLETED)
                if look.done() and (look.result() or look_s == remaining):
                    return look.result()
            finally:
                # Ray may take its time to give up a call: nobody waits for that.
                for task in (look, closing):
                    task.cancel()
                    task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return False

    async def check(self, timeout_s: float) -> None:
        """Return when the actor answers now."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.last_position("")
        except TimeoutError as error:
            raise ServiceUnavailableError("The store's actor does not answer.") from error

    async def close(self) -> None:
        """End every wait of this process; the actor goes on."""
        self._closed.set()

    async def _ask(self, kind: type[T], method: str, *arguments: object) -> T:
        self._refuse_if_closed()
        return await self._actor.ask(kind, _ANSWER_S, method, *arguments)

    def _refuse_if_closed(self) -> None:
        if self._closed.is_set():
            raise ServiceUnavailableError("The store is closed.")
