"""Whose micro-batch ops run next: deficit round robin between users, in tokens.

After Shreedhar & Varghese 1995 (doi:10.1145/217391.217453), with what a training step needs:
a plan is at most one round, so that it stays short while others wait; a user may overdraw and pays
it back, since an op is never split; and a user who was served a moment ago is reckoned with, since
a client sends its next op only when it has the answer to its last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import Priority

#: Interactive ops of one user in a row while a background op of theirs waits.
MAX_STREAK = 3

#: Tokens of the ready op of each adapter, in the order of turns.
_Lane = OrderedDict[AdapterId, int]


@dataclass(slots=True)
class _Share:
    """One user's part, kept until it owes nothing and is not expected back."""

    user: str
    lanes: dict[Priority, _Lane] = field(
        default_factory=lambda: {"interactive": OrderedDict(), "background": OrderedDict()}
    )
    #: Tokens that may still be spent; negative is debt, at most the largest op's tokens.
    deficit: int = 0
    #: Last round in which the user was credited.
    credited: int = 0
    #: Tokens of the op that was served last.
    last_tokens: int = 0
    #: Tokens of everybody after which the user is no longer expected back.
    expected_until: int = 0
    #: Interactive ops since the last background one.
    streak: int = 0

    @property
    def is_ready(self) -> bool:
        return bool(self.lanes["interactive"] or self.lanes["background"])

    @property
    def next_tokens(self) -> int:
        """Tokens of the op that would be served next, or that was served last."""
        return next(iter(self._next_lane().values())) if self.is_ready else self.last_tokens

    def pop(self) -> AdapterId:
        """Take the next op out and charge it."""
        lane = self._next_lane()
        self.streak = self.streak + 1 if lane is self.lanes["interactive"] else 0
        adapter_id, self.last_tokens = lane.popitem(last=False)
        self.deficit -= self.last_tokens
        return adapter_id

    def _next_lane(self) -> _Lane:
        interactive, background = self.lanes["interactive"], self.lanes["background"]
        is_background_due = background and self.streak >= MAX_STREAK
        return background if is_background_due or not interactive else interactive


@dataclass(slots=True)
class _Plan:
    tokens_left: int
    taken: list[AdapterId] = field(default_factory=list)
    users: list[_Share] = field(default_factory=list)

    def has_room_for(self, share: _Share) -> bool:
        """Whether the user's next op fits; the first of a plan always does."""
        return not self.taken or share.next_tokens <= self.tokens_left

    def take(self, share: _Share) -> None:
        self.taken.append(share.pop())
        self.users.append(share)
        self.tokens_left -= share.last_tokens


class FairShare:
    """The ready micro-batch ops, at most one an adapter, and who is served next.

    With U users at work each is credited the same quantum a round: the tokens of the smallest op
    among them plus `overhead_tokens`. The smallest user therefore waits for a round about as long
    as for its own step on a machine of 1/U of the speed, and nobody gets less than 1/(U + 1) of
    the time because of another's small ops. Who was served is reckoned with, and plans stay short
    for it, until a whole plan's tokens have gone by without it.

    **Starvation bound.** For an op that is ready, with U users, N adapters of its own user, largest
    op M, token budget B and `overhead_tokens` o, all as large as they get while it waits: it is in
    one of the next `(1 + ceil(4NM / (o + 1))) * (2 + 2U(2M + o) / B)` micro-batches, whatever its
    priority. The first factor is rounds until its user has paid for what comes before it; the
    second, plans of one round.

    Args:
        token_budget: Tokens of one plan at most; one larger op is planned alone.
        overhead_tokens: Tokens that take as long to compute as a plan's fixed part.
    """

    def __init__(self, token_budget: int, overhead_tokens: int) -> None:
        self._token_budget = token_budget
        self._overhead_tokens = overhead_tokens
        self._shares: dict[str, _Share] = {}
        self._lanes: dict[AdapterId, _Lane] = {}
        self._round = 1
        self._quantum = 0
        #: Tokens of everybody, ever.
        self._num_tokens = 0

    def __len__(self) -> int:
        """Return the number of ready ops."""
        return len(self._lanes)

    def add(self, user: str, adapter_id: AdapterId, num_tokens: int, priority: Priority) -> None:
        """Take in the adapter's ready op, behind its user's others of this priority."""
        if user not in self._shares:
            self._shares[user] = _Share(user)
        lane = self._shares[user].lanes[priority]
        assert adapter_id not in self._lanes, "an adapter has one ready op"  # noqa: S101
        lane[adapter_id] = num_tokens
        self._lanes[adapter_id] = lane

    def discard(self, adapter_id: AdapterId) -> None:
        """Forget the adapter's ready op if it has one."""
        lane = self._lanes.pop(adapter_id, None)
        if lane is not None:
            del lane[adapter_id]

    def take(self) -> list[AdapterId]:
        """Take the ops of the next plan out: at least one where one is ready."""
        if not self._lanes:
            return []
        plan = _Plan(self._token_budget)
        ready = [share for share in self._shares.values() if share.is_ready]
        present = [*ready, *filter(self._is_expected, self._shares.values())]
        if len(present) == 1:
            self._fill(plan, present[0])
        else:
            self._visit(plan, ready)
            if not plan.taken:
                self._begin_round(ready, present)
                self._visit(plan, ready)
        self._num_tokens += self._token_budget - plan.tokens_left
        for share in plan.users:
            share.expected_until = self._num_tokens + self._token_budget
        for adapter_id in plan.taken:
            del self._lanes[adapter_id]
        return plan.taken

    def _visit(self, plan: _Plan, ready: Iterable[_Share]) -> None:
        """Go on with the round: serve those who have credit, until the plan is full."""
        for share in sorted(ready, key=lambda share: not share.lanes["interactive"]):
            if share.credited < self._round:
                share.credited = self._round
                share.deficit += self._quantum
            while share.is_ready and share.deficit > 0:
                # Nobody after it is served before it, or small ops would starve a large one.
                if not plan.has_room_for(share):
                    return
                plan.take(share)
            if not share.is_ready:
                share.deficit = min(share.deficit, 0)

    def _begin_round(self, ready: Iterable[_Share], present: Iterable[_Share]) -> None:
        """Credit everybody the same, and enough for one of those who are ready."""
        self._pay_back(self._quantum)
        smallest = min(share.next_tokens for share in present)
        least_debt = min(-share.deficit for share in ready)
        self._round += 1
        self._quantum = max(smallest + self._overhead_tokens, least_debt + 1)

    def _pay_back(self, num_tokens: int) -> None:
        """Credit those whom the round passed by, and forget who owes nothing and stays away."""
        for share in list(self._shares.values()):
            if share.is_ready:
                continue
            if share.credited < self._round:
                share.deficit = min(share.deficit + num_tokens, 0)
            if share.deficit == 0 and not self._is_expected(share):
                del self._shares[share.user]

    def _is_expected(self, share: _Share) -> bool:
        return not share.is_ready and self._num_tokens < share.expected_until

    def _fill(self, plan: _Plan, share: _Share) -> None:
        """Who is alone has the whole plan and owes nobody."""
        while share.is_ready and plan.has_room_for(share):
            plan.take(share)
        share.deficit = 0
        self._pay_back(self._token_budget - plan.tokens_left)
        # Whoever comes next begins with a round of their own.
        self._round += 1
        self._quantum = 0
