"""What a sidebar shows: put together for many askers at little cost, and told when it has changed.

Rows of runs and what trainers hold are read once for everybody who asks within half a second. What
changes seldom (adapters, limits) is looked up every other second for each user.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Generic, TypeVar, cast

from twinkle_jupyter import __version__
from twinkle_jupyter.service.adapter_row import AdapterRow
from twinkle_jupyter.service.clients.client_models import list_client_models
from twinkle_jupyter.service.notice_bodies import broadcast_body, maintenance_body
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.run_bodies import adapter_body, client_model_body
from twinkle_jupyter.service.run_curves import RunCurve, RunCurves
from twinkle_jupyter.service.trainer_status import ask_trainer
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.notices import read_notices
from twinkle_jupyter.store.records import BaseModelRow, PhaseRow, RunRow
from twinkle_jupyter.wire.native import AdapterBody, Phase
from twinkle_jupyter.wire.overview import LoadedModelBody, RunSummaryBody, UserOverviewBody
from twinkle_jupyter.wire.usage import LimitBody

#: How often somebody who waits is looked after, in seconds.
TICK_S = 1.0
#: Runs that are over and still listed, and those of them that have a curve.
MAX_ENDED = 50
MAX_ENDED_CURVES = 20
#: Runs listed at most; who has more active ones sees the newest.
MAX_RUNS = 200
_LASTS_S = 0.5
_SLOW_LASTS_S = 2.0
#: A trainer that does not say what it holds within this is left out.
_STATUS_S = 1.0
_MAX_OWNERS = 256

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Slow:
    """What is not looked up every time."""

    read_at: float
    #: Of the runs that it was read for.
    states: tuple[str, ...]
    adapters: tuple[AdapterBody, ...]
    base_models: tuple[LoadedModelBody, ...]
    limits: tuple[LimitBody, ...]


class _OfAll(Generic[_T]):
    """What is everybody's: found once for all who ask within half a second."""

    def __init__(self, find: Callable[[], Awaitable[_T]]) -> None:
        self._find = find
        self._finding = asyncio.Lock()
        self._found: tuple[float, _T] | None = None

    async def read(self) -> _T:
        async with self._finding:
            if self._found is None or time.monotonic() - self._found[0] > _LASTS_S:
                found = await self._find()
                self._found = time.monotonic(), found
            return self._found[1]


class Overview:
    """Answers `GET /overview` of all users."""

    def __init__(self, parts: ServiceParts) -> None:
        self._parts = parts
        self._curves = RunCurves(parts.store)
        self._rows = _OfAll(self._read_rows)
        self._base_models = _OfAll(self._read_base_models)
        self._slow: OrderedDict[str, _Slow] = OrderedDict()

    async def wait(self, owner: str, seen: str, wait_s: float) -> UserOverviewBody:
        """Return what there is as soon as its tag is another than `seen`, or after `wait_s`."""
        deadline = time.monotonic() + wait_s
        while (body := await self._read(owner)).tag == seen:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            await asyncio.sleep(min(TICK_S, remaining))
        return body

    async def _read(self, owner: str) -> UserOverviewBody:
        store = self._parts.store
        own = sorted(
            (run for run in await self._rows.read() if run.owner == owner),
            key=lambda run: run.created_at,
            reverse=True,
        )
        phase: Row = await store.get(PhaseRow.KEY) or PhaseRow("starting").to_row()
        maintenance, broadcast = await read_notices(store)
        slow = await self._read_slow(owner, own)
        listed = _choose(own)
        with_curve = [run for run in listed if not run.is_over]
        with_curve += [run for run in listed if run.is_over][:MAX_ENDED_CURVES]
        curves = {run.run_id: await self._curves.read(run) for run in with_curve}
        body = UserOverviewBody(
            tag="",
            version=__version__,
            phase=cast("Phase", phase["phase"]),
            message=str(phase["message"]),
            runs=tuple(_summary(run, curves.get(run.run_id)) for run in listed),
            num_older_runs=len(own) - len(listed),
            adapters=slow.adapters,
            base_models=slow.base_models,
            limits=slow.limits,
            num_queued_runs=sum(1 for run in own if run.state == "queued"),
            maintenance=maintenance_body(maintenance),
            broadcast=broadcast_body(broadcast),
        )
        return body.model_copy(update={"tag": _tag(body)})

    async def _read_rows(self) -> Sequence[RunRow]:
        rows = await self._parts.store.list_rows(RunRow.key(""))
        return [RunRow.from_row(row) for _, row in rows]

    async def _read_slow(self, owner: str, own: Sequence[RunRow]) -> _Slow:
        states = tuple(f"{run.run_id} {run.state} {run.checkpoint}" for run in own)
        known = self._slow.get(owner)
        oldest = time.monotonic() - _SLOW_LASTS_S
        if known is not None and known.states == states and known.read_at > oldest:
            return known
        slow = _Slow(
            time.monotonic(),
            states,
            await self._read_adapters(owner, own),
            await self._base_models.read(),
            tuple(LimitBody(**asdict(one)) for one in await self._parts.quotas.usage(owner)),
        )
        self._slow[owner] = slow
        self._slow.move_to_end(owner)
        while len(self._slow) > _MAX_OWNERS:
            self._slow.popitem(last=False)
        return slow

    async def _read_adapters(self, owner: str, own: Sequence[RunRow]) -> tuple[AdapterBody, ...]:
        runs = {str(run.run_id): run for run in own}
        rows = await self._parts.store.list_rows(AdapterRow.key(owner, ""))
        named = [runs.get(AdapterRow.from_row(row).run_id) for _, row in rows]
        bodies = [adapter_body(self._parts, run) for run in named if run is not None]
        clients = await list_client_models(self._parts, owner)
        return (*bodies, *(client_model_body(one) for one in clients))

    async def _read_base_models(self) -> tuple[LoadedModelBody, ...]:
        rows = await self._parts.store.list_rows(BaseModelRow.PREFIX)
        models = [BaseModelRow.from_row(row) for _, row in rows]
        first = self._parts.config.base_model
        if all(model.name != first for model in models):
            models.append(BaseModelRow(first))
        models.sort(key=lambda model: model.name != first)
        return tuple(await asyncio.gather(*(self._loaded(model) for model in models)))

    async def _loaded(self, model: BaseModelRow) -> LoadedModelBody:
        status = await ask_trainer(self._parts, model, _STATUS_S)
        return LoadedModelBody(
            name=model.name,
            phase=model.phase,
            message=model.message,
            computed_in=model.computed_in if model.dtype else "",
            num_adapters=status.num_adapters if status else None,
            num_slots=self._parts.config.trainer_of(model.name).max_active_adapters,
            memory_bytes=status.memory_bytes if status else None,
        )


def _choose(own: Sequence[RunRow]) -> list[RunRow]:
    """Return those that are not over and the newest others, in their order."""
    ended = [run.run_id for run in own if run.is_over]
    hidden = set(ended[MAX_ENDED:])
    return [run for run in own if run.run_id not in hidden][:MAX_RUNS]


def _summary(run: RunRow, curve: RunCurve | None) -> RunSummaryBody:
    return RunSummaryBody(
        run_id=run.run_id,
        adapter=run.adapter,
        base_model=str(run.config["base_model"]),
        rank=cast("int", run.config["rank"]),
        state=run.state,
        wanted=run.wanted,
        reason=run.reason,
        step=run.step,
        total_steps=run.total_steps,
        loss=run.loss,
        checkpoint=run.checkpoint,
        parent_run=run.parent_run,
        parent_step=run.parent_step,
        created_at=run.created_at,
        updated_at=run.updated_at,
        seconds_per_step=curve.seconds_per_step if curve else None,
        points=curve.points if curve else [],
    )


def _tag(body: UserOverviewBody) -> str:
    """Return a digest of all that a person would see change."""
    limits = {"limits": {"__all__": {"frees_in_s"}}}
    content = body.model_dump_json(exclude=limits)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
