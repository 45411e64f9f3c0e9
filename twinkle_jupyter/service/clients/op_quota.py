"""What clients train with, counted: from the moment that an op is taken in until it is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import partial

from twinkle_jupyter.errors import InvalidDataError, ServiceUnavailableError, TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.runtime.handles import ForwardBackward, Op, TrainerHandle
from twinkle_jupyter.service.quotas import HELD_S, Admission, Quotas

_LOGGER = logging.getLogger(__name__)

_PAUSE_S = 1.0


class OpQuota:
    """Of one service.

    Args:
        quotas: Of its users.
    """

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        #: No more than there may be queued tokens: each is of an op that was admitted.
        self._watches: set[asyncio.Task[None]] = set()

    async def admit(self, owner: str, op: Op) -> Admission:
        """Count an op's tokens; one that has none is always let in.

        Raises:
            QuotaExceededError: They are more than the user may have now.
        """
        num_tokens = (
            sum(len(one.tokens) for one in op.examples) if isinstance(op, ForwardBackward) else 0
        )
        work = f"{op.adapter_id}/{op.sequence_id}"
        return await self._quotas.admit_tokens(owner, num_tokens, work, partial(_is_awaited, op))

    def problem_of(self, owner: str, examples: Sequence[Example]) -> str:
        """Return what refuses rows that are too long or too many, in their turn; "" for none."""
        try:
            self._quotas.check_possible(owner, sum(len(one.tokens) for one in examples))
            for number, example in enumerate(examples):
                self._quotas.check_length(owner, f"data[{number}]", len(example.tokens))
        except InvalidDataError as error:
            return str(error)
        return ""

    def counts(self, owner: str, op: Op) -> bool:
        """Whether an op is one of those that are queued."""
        return bool(self._quotas.limits_of(owner).queued_tokens) and isinstance(op, ForwardBackward)

    def watch(self, admission: Admission, trainer: TrainerHandle, op: Op, id_offset: int) -> None:
        """Count it as queued until it is answered, whoever asks for the answer."""
        number = op.sequence_id - id_offset
        watch = asyncio.create_task(_finish(admission, trainer, op, number))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)


def _is_awaited(op: Op, queued: Iterable[str]) -> bool:
    """Whether later ops of the adapter are queued: stock clients send a first chunk last.

    How many can be let in by this is bounded by how far ahead an op may be.
    """
    prefix = f"{op.adapter_id}/"
    numbers = (work.removeprefix(prefix) for work in queued if work.startswith(prefix))
    return any(int(number) > op.sequence_id for number in numbers)


async def _finish(admission: Admission, trainer: TrainerHandle, op: Op, number: int) -> None:
    try:
        async with asyncio.timeout(HELD_S):
            await _until_answered(trainer, op, number)
        await admission.finish()
    except TimeoutError:
        return  # it is forgotten by now
    except TwinkleError as error:
        _LOGGER.warning("what %s has queued could not be counted: %s", admission.owner, error)
    except Exception:
        # The service, whose task this is, goes on without it.
        _LOGGER.exception("counting what is queued failed")


async def _until_answered(trainer: TrainerHandle, op: Op, number: int) -> None:
    while True:
        try:
            await trainer.outcome(op.adapter_id, number)
        except ServiceUnavailableError:
            await asyncio.sleep(_PAUSE_S)  # the trainer is away, and comes back
        except TwinkleError:
            return  # it failed, which is an answer
        else:
            return
