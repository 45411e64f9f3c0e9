"""Who is next: users take turns, each one's own things in the order they came."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Things that wait, by user."""

    def __init__(self) -> None:
        self._by_user: OrderedDict[str, deque[T]] = OrderedDict()

    def push(self, user: str, thing: T) -> None:
        """Wait behind the user's others."""
        self._by_user.setdefault(user, deque()).append(thing)

    def push_first(self, user: str, thing: T) -> None:
        """Wait in front of the user's others."""
        self._by_user.setdefault(user, deque()).appendleft(thing)

    def firsts(self) -> list[T]:
        """Return the first thing of each user, in the order in which their turns come."""
        return [things[0] for things in self._by_user.values()]

    def take(self, user: str) -> T:
        """Take out the first thing of a user who waits; their next turn comes after all others'."""
        things = self._by_user[user]
        thing = things.popleft()
        if things:
            self._by_user.move_to_end(user)
        else:
            del self._by_user[user]
        return thing

    def remove(self, user: str, thing: T) -> None:
        """Take out what waits."""
        things = self._by_user[user]
        things.remove(thing)
        if not things:
            del self._by_user[user]
