"""Who has how much of a trainer, over the true engine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.local import open_local_compute
from twinkle_jupyter.runtime.user_loads import ServedTokens
from twinkle_jupyter.scheduling.request import AdapterSpec, ForwardBackward, ForwardBackwardResult

_ROW = Example((5, 6, 7, 8), (6, 7, 8, 9), (0.0, 1.0, 1.0, 1.0))


async def test_status_says_whose_adapters_ops_and_tokens_there_are(tiny_model: Path) -> None:
    spec = AdapterSpec(rank=4, alpha=8.0, seed=0)
    async with open_local_compute(tiny_model, base_model_name="tiny") as compute:
        trainer = compute.trainer
        for name, user in (("a", "ada"), ("b", "ada"), ("c", "ben")):
            await trainer.create_adapter(AdapterId(name), spec, user=user)
        await trainer.forward_backward(ForwardBackward(AdapterId("a"), 1, (_ROW, _ROW)))
        await trainer.accept(ForwardBackward(AdapterId("c"), 2, (_ROW,)))  # waits for the first
        status = await trainer.status()
        ada, ben = status.users
        await trainer.remove_adapter(AdapterId("a"))
        await trainer.remove_adapter(AdapterId("b"))
        gone = (await trainer.status()).users[0]

    assert (status.num_slots, status.num_active, status.num_adapters) == (64, 3, 3)
    assert (ada.user, ada.num_adapters, ada.num_active, ada.queued_ops) == ("ada", 2, 2, 0)
    assert ada.tokens_per_minute == ada.tokens_served > 0
    assert (ben.user, ben.queued_ops, ben.tokens_served) == ("ben", 1, 0)
    assert ben.queued_tokens == ada.tokens_served / 2
    assert (gone.num_adapters, gone.tokens_served) == (0, ada.tokens_served)


def test_tokens_count_for_a_minute_and_what_failed_does_not() -> None:
    now = 100.0
    served = ServedTokens(lambda: now)
    passed = ForwardBackwardResult(1.0, ((0.0,),), num_tokens=10, num_supervised=1, seconds=0.0)
    served.note(["ada", "ben"], [passed, TwinkleError("no")])
    now = 159.0
    served.note(["ada"], [passed])
    assert served.last_minute() == Counter(ada=20)
    now = 160.0
    assert served.last_minute() == Counter(ada=10)
    assert served.total == Counter(ada=20)
