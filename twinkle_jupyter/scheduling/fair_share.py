"""Whose micro-batch ops run next: deficit round robin between users, in tokens.

After Shreedhar & Varghese 1995 (doi:10.1145/217391.217453), with what a training step needs:
a plan is at most one round, so that it stays short while others wait, and takes a large op in
parts; a user may overdraw by a part and pays it back; and a user who was served a moment ago is
reckoned with, since a client sends its next op only when it has the answer to its last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.op_part import first_units
from twinkle_jupyter.scheduling.request import Priority

#: Interactive ops of one user in a row while a background op of theirs waits.
MAX_STREAK = 3
#: About the least tokens of a part while others are expected and none is ready, in those that a
#: plan's fixed part is worth: a fifth of the time or so is lost to who may not come.
_LONE_PART = 4
#: Ops that are partly done at any time: of each, the engine keeps a gradient beside its adapter's.
MAX_BEGUN = 8


@dataclass(frozen=True, slots=True)
class _ReadyOp:
    #: Tokens of the whole op.
    num_tokens: int
    #: Of each unit that is not computed yet.
    units_left: Sequence[int]


#: The ready op of each adapter, in the order of turns.
_Lane = OrderedDict[AdapterId, _ReadyOp]


@dataclass(slots=True)
class _Share:
    """One user's part, kept until it owes nothing and is not expected back."""

    user: str
    #: What is left of an op that earlier plans had a part of: it goes before all others.
    begun: _Lane = field(default_factory=OrderedDict)
    lanes: dict[Priority, _Lane] = field(
        default_factory=lambda: {"interactive": OrderedDict(), "background": OrderedDict()}
    )
    #: Tokens that may still be spent; negative is debt, at most the largest part's tokens.
    deficit: int = 0
    #: Last round in which the user was credited.
    credited: int = 0
    #: Round in which a part for all of the credit was served: what is over is for the next one.
    rests_in: int = 0
    #: Whether a plan under way has a part of an op, with another to come.
    is_partly_served: bool = False
    #: Tokens that the op had that was served last.
    last_tokens: int = 0
    #: Tokens of everybody after which the user is no longer expected back.
    expected_until: int = 0
    #: Interactive ops since the last background one.
    streak: int = 0

    @property
    def is_ready(self) -> bool:
        return bool(self.begun or self.lanes["interactive"] or self.lanes["background"])

    @property
    def next_tokens(self) -> int:
        """Tokens of the op that would be served next, or that was served last."""
        return self._next_op.num_tokens if self.is_ready else self.last_tokens

    @property
    def next_units(self) -> Sequence[int]:
        """Tokens of each unit that is left of the op that would be served next."""
        return self._next_op.units_left

    def pop(self, num_units: int) -> tuple[AdapterId, int]:
        """Take the next op out and charge these many units of it; return whose, and for what."""
        lane = self._next_lane()
        if lane is not self.begun:
            self.streak = self.streak + 1 if lane is self.lanes["interactive"] else 0
        adapter_id, op = lane.popitem(last=False)
        self.last_tokens, charged = op.num_tokens, sum(op.units_left[:num_units])
        self.deficit -= charged
        return adapter_id, charged

    @property
    def _next_op(self) -> _ReadyOp:
        return next(iter(self._next_lane().values()))

    def _next_lane(self) -> _Lane:
        interactive, background = self.lanes["interactive"], self.lanes["background"]
        if self.begun:
            return self.begun
        is_background_due = background and self.streak >= MAX_STREAK
        return background if is_background_due or not interactive else interactive


@dataclass(slots=True)
class _Plan:
    tokens_left: int
    #: Whose, and how many units.
    taken: list[tuple[AdapterId, int]] = field(default_factory=list)
    users: list[_Share] = field(default_factory=list)
    #: Ops that are partly done, those of this plan included.
    num_begun: int = 0

    def take(self, share: _Share, num_units: int) -> bool:
        """Take so much of the user's next op if it fits; the first of a plan always does."""
        if self.taken and sum(share.next_units[:num_units]) > self.tokens_left:
            return False
        adapter_id, num_tokens = share.pop(num_units)
        self.taken.append((adapter_id, num_units))
        self.users.append(share)
        self.tokens_left -= num_tokens
        return True


class FairShare:
    """The ready micro-batch ops, at most one an adapter, and who is served next.

    With U users at work each is credited the same quantum a round: the tokens of the smallest op
    among them plus `overhead_tokens`. The smallest user therefore waits for a round about as long
    as for its own step on a machine of 1/U of the speed, and nobody gets less than 1/(U + 1) of
    the time because of another's small ops. Of a larger op, a round takes about a quantum. Who was
    served is reckoned with, and plans stay short for it, until a whole plan's tokens have gone by
    without it.

    **Starvation bound.** For an op that is ready, with U users, N adapters of its own user, largest
    op M, token budget B and `overhead_tokens` o, all as large as they get while it waits: it is
    done after the next `(1 + ceil(4NM / (o + 1))) * (2 + 2U(2M + o) / B)` micro-batches, whatever
    its priority. The first factor is rounds until its user has paid for what comes before it; the
    second, plans of one round.

    Args:
        token_budget: Tokens of one plan at most; a larger row is planned alone, and so is a larger
            op of a user who is alone.
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

    @property
    def has_begun_ops(self) -> bool:
        """Whether one of them is partly done."""
        return any(share.begun for share in self._shares.values())

    def add(
        self,
        user: str,
        adapter_id: AdapterId,
        units: Sequence[int],
        priority: Priority,
        num_done: int = 0,
    ) -> None:
        """Take in the adapter's ready op.

        Args:
            user: Whose share it counts towards.
            adapter_id: There is no other ready op of it.
            units: Tokens of each of the op's units, which stay together.
            priority: It comes behind its user's others of the same.
            num_done: Of these units earlier plans had so many; then it comes before all others.
        """
        if user not in self._shares:
            self._shares[user] = _Share(user)
        share = self._shares[user]
        share.is_partly_served = False
        lane = share.begun if num_done else share.lanes[priority]
        assert adapter_id not in self._lanes, "an adapter has one ready op"  # noqa: S101
        lane[adapter_id] = _ReadyOp(sum(units), units[num_done:])
        self._lanes[adapter_id] = lane

    def discard(self, adapter_id: AdapterId) -> None:
        """Forget the adapter's ready op if it has one."""
        lane = self._lanes.pop(adapter_id, None)
        if lane is not None:
            del lane[adapter_id]

    def take(self) -> list[tuple[AdapterId, int]]:
        """Take the ops of the next plan out: at least one where one is ready.

        Returns:
            Whose, and how many units of it the plan has; what is left of an op is to be added
            again when the plan has ended.
        """
        if not self._lanes:
            return []
        plan = _Plan(self._token_budget)
        ready = [share for share in self._shares.values() if share.is_ready]
        present = [*ready, *filter(self._is_expected, self._shares.values())]
        is_alone = len(present) == 1
        if is_alone:
            self._fill(plan, present[0])
        else:
            self._visit(plan, ready)
            if not plan.taken:
                self._begin_round(ready, present)
                self._visit(plan, ready)
        num_tokens = self._token_budget - plan.tokens_left
        self._num_tokens += num_tokens
        for share in plan.users:
            share.expected_until = self._num_tokens + self._token_budget
        if is_alone:
            self._end_rounds(num_tokens)
        for adapter_id, _ in plan.taken:
            del self._lanes[adapter_id]
        return plan.taken

    def _visit(self, plan: _Plan, ready: Sequence[_Share]) -> None:
        """Go on with the round: serve those who have credit, until the plan is full."""
        least = _LONE_PART * self._overhead_tokens if len(ready) == 1 else 0
        plan.num_begun = sum(len(share.begun) for share in ready)
        for share in sorted(ready, key=lambda share: not share.lanes["interactive"]):
            if share.credited < self._round:
                share.credited = self._round
                share.deficit += self._quantum
            while share.is_ready and share.deficit > 0 and share.rests_in < self._round:
                about = max(share.deficit, least)
                num_left, num_units = len(share.next_units), self._part_of(plan, share, about)
                # Nobody after it is served before it, or small ops would starve a large one.
                if not plan.take(share, num_units):
                    return
                if num_units < num_left:
                    share.is_partly_served = True
                    share.rests_in = self._round if about <= self._token_budget else 0
                    break
            if not share.is_ready and not share.is_partly_served:
                share.deficit = min(share.deficit, 0)

    def _part_of(self, plan: _Plan, share: _Share, about: int) -> int:
        """Return how many units of the user's next op are served now, for about these tokens."""
        num_left = len(share.next_units)
        if not share.begun and plan.num_begun >= MAX_BEGUN:
            return num_left
        num_units = first_units(share.next_units, min(about, self._token_budget))
        plan.num_begun += num_units < num_left and not share.begun
        return num_units

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
        while share.is_ready and plan.take(share, len(share.next_units)):
            pass
        share.deficit = 0

    def _end_rounds(self, num_tokens: int) -> None:
        """One user had these tokens alone: whoever comes next begins with a round of their own."""
        self._pay_back(num_tokens)
        self._round += 1
        self._quantum = 0
