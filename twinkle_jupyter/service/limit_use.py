"""How much of each limit a user has."""

from __future__ import annotations

from dataclasses import dataclass

from twinkle_jupyter.config.limits import UserLimits
from twinkle_jupyter.service.adapter_count import names_of_adapters
from twinkle_jupyter.service.quota_rows import queued_of, row_key, slots_of
from twinkle_jupyter.service.sliding_window import MINUTE, SECOND
from twinkle_jupyter.store.interface import StateStore


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit, and how much of it a user has."""

    name: str
    #: 0 is no limit.
    limit: int
    #: None where it is not counted.
    used: int | None
    #: Seconds until some of it is free again; None where that is not a matter of time.
    frees_in_s: float | None = None


async def limits_in_use(
    store: StateStore, limits: UserLimits, owner: str, now: float
) -> list[LimitUse]:
    """Return every limit; adapters are counted whether or not there is one, the rest is not."""
    requests = slots_of(await store.get(row_key("requests", owner)))
    tokens = await store.get(row_key("tokens", owner))
    minute = slots_of(tokens)
    num_queued = sum(amount for amount, _ in queued_of(tokens, now).values())
    in_minute = sum(MINUTE.live(minute, now).values())
    in_second = sum(SECOND.live(requests, now).values())
    num_adapters = len(await names_of_adapters(store, owner))
    counted = [
        LimitUse("queued_tokens", limits.queued_tokens, num_queued),
        LimitUse(
            "tokens_per_minute",
            limits.tokens_per_minute,
            in_minute,
            MINUTE.first_free_in(minute, now),
        ),
        LimitUse("requests_per_second", limits.requests_per_second, in_second),
        LimitUse("longest_input", limits.longest_input, None),
    ]
    return [
        LimitUse("adapters", limits.adapters, num_adapters),
        *(one if one.limit else LimitUse(one.name, 0, None) for one in counted),
    ]
