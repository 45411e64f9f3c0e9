"""Handles that reach actors through Ray, and Ray's errors in our words."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import TypeVar

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from typing_extensions import override

from twinkle_jupyter.actors.names import NAMESPACE
from twinkle_jupyter.errors import ServiceUnavailableError, TwinkleError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runtime.handles import (
    AdapterPosition,
    ComputeStatus,
    SamplerHandle,
    TrainerHandle,
)
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest
from twinkle_jupyter.scheduling.request import (
    AdapterSpec,
    CheckpointSaved,
    ForwardBackward,
    ForwardBackwardResult,
    Op,
    OpAnswer,
    OptimStep,
    OptimStepResult,
    Priority,
    SaveCheckpoint,
)

_Answer = TypeVar("_Answer")

#: A control call; loading a large base model may come before it.
CONTROL_TIMEOUT_S = 600.0
#: One op, with everything that is queued before it.
_OP_TIMEOUT_S = 3600.0
#: One token of a stream, with the prompts of others before it.
_TOKEN_TIMEOUT_S = 300.0


class NamedActor:
    """An actor by its name; Ray's own types do not follow asynchronous methods.

    Raises:
        ServiceUnavailableError: There is none of that name now.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._actor = ray.get_actor(name, NAMESPACE)
        except ValueError as error:
            what = f"{name} is not running."
            raise ServiceUnavailableError(what, "Try again in a moment.") from error

    async def ask(
        self,
        kind: type[_Answer],
        timeout_s: float,
        method: str,
        *arguments: object,
        **named: object,
    ) -> _Answer:
        """Call a method that answers a `kind`; errors as in `answer`."""
        call: Awaitable[object] = getattr(self._actor, method).remote(*arguments, **named)
        return _checked(kind, await answer(call, self.name, timeout_s))

    async def ask_apart(
        self, kind: type[_Answer], group: str, timeout_s: float, method: str, *arguments: object
    ) -> _Answer:
        """Like `ask`, in a concurrency group of the actor: it holds up no call outside of that."""
        remote = getattr(self._actor, method).options(concurrency_group=group)
        call: Awaitable[object] = remote.remote(*arguments)
        return _checked(kind, await answer(call, self.name, timeout_s))

    async def ask_or_none(
        self, kind: type[_Answer], timeout_s: float, method: str, *arguments: object
    ) -> _Answer | None:
        """Like `ask`, of a method that may answer None."""
        call: Awaitable[object] = getattr(self._actor, method).remote(*arguments)
        value = await answer(call, self.name, timeout_s)
        return None if value is None else _checked(kind, value)

    async def ask_or_cancel(
        self, kind: type[_Answer], timeout_s: float, method: str, *arguments: object
    ) -> _Answer:
        """Like `ask`, and when the caller is cancelled, so is the actor's method."""
        call: Awaitable[object] = getattr(self._actor, method).remote(*arguments)
        try:
            return _checked(kind, await answer(call, self.name, timeout_s))
        except asyncio.CancelledError:
            ray.cancel(call)
            raise

    async def tell(
        self, timeout_s: float, method: str, *arguments: object, **named: object
    ) -> None:
        """Call a method that answers nothing, and wait until it is done."""
        call: Awaitable[object] = getattr(self._actor, method).remote(*arguments, **named)
        await answer(call, self.name, timeout_s)

    def begin(self, method: str, *arguments: object) -> object:
        """Call a method and return the reference to its answer, which nothing awaits here."""
        return getattr(self._actor, method).remote(*arguments)

    def notify(self, method: str, *arguments: object) -> None:
        """Call a method and do not wait."""
        getattr(self._actor, method).remote(*arguments)

    async def stream(
        self, kind: type[_Answer], timeout_s: float, method: str, *arguments: object
    ) -> AsyncIterator[_Answer]:
        """Call a method that yields; `timeout_s` is for each item."""
        remote = getattr(self._actor, method).options(num_returns="streaming")
        references: AsyncIterator[Awaitable[object]] = remote.remote(*arguments)
        while True:
            try:
                reference = await answer(anext(references), self.name, timeout_s)
            except StopAsyncIteration:
                return
            yield _checked(kind, await answer(reference, self.name, timeout_s))


def _checked(kind: type[_Answer], value: object) -> _Answer:
    if not isinstance(value, kind):
        raise TypeError(f"an actor answered {type(value).__name__}, not {kind.__name__}")
    return value


async def answer(call: Awaitable[_Answer], who: str, timeout_s: float) -> _Answer:
    """Await an actor's answer.

    Raises:
        TwinkleError: What the actor raised, as it raised it.
        ServiceUnavailableError: The actor died or does not answer.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except RayTaskError as error:
        if isinstance(error.cause, TwinkleError):
            raise error.cause from None
        raise
    except RayActorError as error:
        raise ServiceUnavailableError(
            f"The process of {who} ended.", "It is being restarted."
        ) from error
    except TimeoutError as error:
        raise ServiceUnavailableError(
            f"{who} did not answer within {timeout_s:.0f} s.", "Its log says what it is doing."
        ) from error
    except RayError as error:
        raise ServiceUnavailableError(f"{who} cannot be reached.", "Try again.") from error


class RayTrainerHandle(TrainerHandle):
    """A `TrainerHandle` over a trainer actor."""

    def __init__(self, name: str) -> None:
        self._actor = NamedActor(name)

    @override
    async def create_adapter(
        self,
        adapter_id: AdapterId,
        spec: AdapterSpec,
        *,
        user: str = "",
        priority: Priority = "interactive",
    ) -> None:
        whose = {"user": user, "priority": priority}
        await self._actor.tell(CONTROL_TIMEOUT_S, "create_adapter", adapter_id, spec, **whose)

    @override
    async def load_adapter(
        self,
        adapter_id: AdapterId,
        folder: str,
        *,
        user: str = "",
        priority: Priority = "interactive",
        fresh_optimizer: bool = False,
    ) -> int:
        how = {"user": user, "priority": priority, "fresh_optimizer": fresh_optimizer}
        return await self._actor.ask(
            int, CONTROL_TIMEOUT_S, "load_adapter", adapter_id, folder, **how
        )

    @override
    async def position(self, adapter_id: AdapterId) -> AdapterPosition | None:
        return await self._actor.ask_or_none(AdapterPosition, _OP_TIMEOUT_S, "position", adapter_id)

    @override
    async def forward_backward(self, op: ForwardBackward) -> ForwardBackwardResult:
        return await self._actor.ask_or_cancel(
            ForwardBackwardResult, _OP_TIMEOUT_S, "forward_backward", op
        )

    @override
    async def optim_step(self, op: OptimStep) -> OptimStepResult:
        return await self._actor.ask_or_cancel(OptimStepResult, _OP_TIMEOUT_S, "optim_step", op)

    @override
    async def save_checkpoint(self, op: SaveCheckpoint) -> CheckpointSaved:
        kind = CheckpointSaved
        return await self._actor.ask_or_cancel(kind, _OP_TIMEOUT_S, "save_checkpoint", op)

    @override
    async def run_new(self, op: Op) -> OpAnswer:
        return await self._ask_for_op("run_new", op)

    @override
    async def accept(self, op: Op) -> None:
        await self._actor.tell(CONTROL_TIMEOUT_S, "accept", op)

    @override
    async def outcome(self, adapter_id: AdapterId, sequence_id: int) -> OpAnswer:
        return await self._ask_for_op("outcome", adapter_id, sequence_id)

    async def _ask_for_op(self, method: str, *arguments: object) -> OpAnswer:
        value = await self._actor.ask_or_cancel(object, _OP_TIMEOUT_S, method, *arguments)
        if isinstance(value, ForwardBackwardResult | OptimStepResult | CheckpointSaved):
            return value
        raise TypeError(f"an actor answered {type(value).__name__}, not the outcome of an op")

    def begin_snapshot(self, adapter_id: AdapterId) -> object:
        """Ask for a snapshot; return the reference by which another actor gets it."""
        return self._actor.begin("snapshot", adapter_id)

    @override
    async def snapshot(self, adapter_id: AdapterId) -> AdapterSnapshot:
        return await self._actor.ask(AdapterSnapshot, CONTROL_TIMEOUT_S, "snapshot", adapter_id)

    @override
    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        await self._actor.tell(CONTROL_TIMEOUT_S, "remove_adapter", adapter_id)

    @override
    async def park(self, adapter_id: AdapterId, folder: str, next_id: int) -> bool:
        return await self._actor.ask(bool, CONTROL_TIMEOUT_S, "park", adapter_id, folder, next_id)

    @override
    async def status(self) -> ComputeStatus:
        return await self._actor.ask(ComputeStatus, CONTROL_TIMEOUT_S, "status")


class RaySamplerHandle(SamplerHandle):
    """A `SamplerHandle` over a sampler actor."""

    def __init__(self, name: str) -> None:
        self._actor = NamedActor(name)

    @override
    async def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        await self._actor.ask(int, CONTROL_TIMEOUT_S, "put_snapshot", snapshot)

    @override
    async def hold_newest(self, trainer: TrainerHandle, adapter_id: AdapterId) -> AdapterVersion:
        assert isinstance(trainer, RayTrainerHandle), "both are actors"  # noqa: S101
        return await self.hold(trainer.begin_snapshot(adapter_id))

    async def hold(self, weights: object) -> AdapterVersion:
        """Hold a snapshot that somebody has asked for; return its version.

        Only a reference passes through here; the weights go from one actor to the other.
        """
        version = await self._actor.ask(int, CONTROL_TIMEOUT_S, "put_snapshot", weights)
        return AdapterVersion(version)

    @override
    async def sample(self, request: SampleRequest) -> AsyncGenerator[SampleDelta]:
        key = secrets.token_hex(8)
        is_over = False
        try:
            async for delta in self._actor.stream(
                SampleDelta, _TOKEN_TIMEOUT_S, "sample", key, request
            ):
                yield delta
            is_over = True
        finally:
            if not is_over:
                self._actor.notify("cancel", key)

    @override
    async def remove_adapter(self, adapter_id: AdapterId) -> None:
        await self._actor.tell(CONTROL_TIMEOUT_S, "remove_adapter", adapter_id)

    @override
    async def status(self) -> ComputeStatus:
        return await self._actor.ask(ComputeStatus, CONTROL_TIMEOUT_S, "status")
