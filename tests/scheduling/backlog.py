"""Users who always have work, around the real `FairShare`."""

from __future__ import annotations

from collections import Counter

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.fair_share import FairShare
from twinkle_jupyter.scheduling.request import Priority

OVERHEAD = 4


class Backlog:
    """Adapters whose next op, of the same rows, is ready as soon as the last was served."""

    def __init__(self, token_budget: int = 100) -> None:
        self.shares = FairShare(token_budget, OVERHEAD)
        self.adapters: dict[AdapterId, tuple[str, tuple[int, ...], Priority]] = {}
        #: Rows of the op in turn that are not served yet.
        self.left: dict[AdapterId, tuple[int, ...]] = {}
        #: Tokens by user.
        self.served: Counter[str] = Counter()

    def add(
        self, user: str, num_adapters: int, *rows: int, priority: Priority = "interactive"
    ) -> None:
        for _ in range(num_adapters):
            self.begin(AdapterId(f"{user}{len(self.adapters)}"), user, *rows, priority=priority)

    def begin(
        self, adapter_id: AdapterId, user: str, *rows: int, priority: Priority = "interactive"
    ) -> None:
        """An op of these rows is ready."""
        self.adapters[adapter_id] = (user, rows, priority)
        self.left[adapter_id] = rows
        self.shares.add(user, adapter_id, rows, priority)

    def take(self, away: str = "") -> list[AdapterId]:
        """Take a plan; whoever is away does not send again once an op is done."""
        taken = self.shares.take()
        for adapter_id, num_rows in taken:
            user, rows, priority = self.adapters[adapter_id]
            left = self.left[adapter_id]
            assert 0 < num_rows <= len(left)
            self.served[user] += sum(left[:num_rows])
            self.left[adapter_id] = left[num_rows:]
            if num_rows < len(left):
                num_done = len(rows) - len(left) + num_rows
                self.shares.add(user, adapter_id, rows, priority, num_done)
            elif user != away:
                self.begin(adapter_id, user, *rows, priority=priority)
        return [adapter_id for adapter_id, _ in taken]

    def rest_is(self, adapter_id: AdapterId) -> int:
        """Return how many rows of the adapter's op in turn are not served yet."""
        return len(self.left[adapter_id])
