"""Objects that a client makes and calls here: data sets, loaders, and what goes with them.

Kept in the store as how they were made, so that any replica can make them again; what is built is
remembered for a while.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError, NotFoundError, QuotaExceededError
from twinkle_jupyter.service.parts import PromptTemplate, ServiceParts
from twinkle_jupyter.service.twinkle.class_names import (
    PROCESSORS,
    TEMPLATES,
    find_class,
    refuse_others,
)
from twinkle_jupyter.service.twinkle.datasets import (
    CHANGES,
    CLASSES,
    NEEDS_TEMPLATE,
    BuiltDataset,
    add_source,
    apply,
)
from twinkle_jupyter.service.twinkle.preprocessors import PREPROCESSORS
from twinkle_jupyter.service.twinkle.rewards import REWARDS
from twinkle_jupyter.service.twinkle.templates import template_of
from twinkle_jupyter.store.interface import JSON, Row
from twinkle_jupyter.store.records import now
from twinkle_jupyter.store.training_setups import DatasetSourceRow, ProcessorRow

Arguments = Mapping[str, JsonValue]
#: Of one user, at a time.
MAX_PROCESSORS = 20
#: After so long without a call an object is gone.
_LIFE = timedelta(minutes=30)
#: That it is used is written down no more often.
_FRESH = timedelta(minutes=1)
_MAX_BUILT = 32
_KINDS: Mapping[str, Mapping[str, object]] = {
    "dataset": CLASSES,
    "dataloader": {"DataLoader": None},
    "preprocessor": PREPROCESSORS,
    "processor": PROCESSORS,
    "reward": REWARDS,
    "template": TEMPLATES,
}
_LOADING = {
    "dataset": ...,
    "batch_size": ...,
    "shuffle": (True, False),
    "drop_last": (True, False),
    "seed": ...,
    "num_workers": ...,
    "min_batch_size": ...,
    "max_retries": ...,
    "pin_memory": ...,
    "prefetch_factor": ...,
    "persistent_workers": ...,
}


class Processors:
    """All of a service.

    Args:
        parts: Of the service.
    """

    def __init__(self, parts: ServiceParts) -> None:
        self._parts = parts
        self._built: OrderedDict[tuple[str, int], BuiltDataset] = OrderedDict()

    async def create(
        self, owner: str, kind: str, class_name: str, settings: Arguments
    ) -> ProcessorRow:
        """Make an object.

        Raises:
            InvalidConfigError: There is no such class, or not with these settings.
            QuotaExceededError: The user has as many as there may be.
        """
        find_class(find_class(_KINDS, kind, "processor_type"), class_name, "class_type")
        await self._make_room(owner)
        row = ProcessorRow(owner, f"pid:{uuid4().hex}", kind, class_name)
        own = cast("Mapping[str, JSON]", dict(settings))
        if kind == "dataset":
            source = DatasetSourceRow(owner, row.processor_id, own)
            self._remember(row, await self._build(row, source))
            await self._put_source(source)
        else:
            row = row.changed(settings=own)
        if kind == "dataloader":
            await self._check_loader(owner, settings)
        await self._parts.store.put(ProcessorRow.key(owner, row.processor_id), row.to_row())
        return row

    async def get(self, owner: str, processor_id: str) -> ProcessorRow:
        """Return this user's object, which lives on from now; raises NotFoundError without one."""

        def touch(found: Row | None) -> Row:
            row = None if found is None else ProcessorRow.from_row(found)
            if row is None or _is_old(row):
                raise NotFoundError(
                    f"There is no object {processor_id!r}, or it was not used for long.",
                    "Make it again.",
                )
            return row.changed(used_at=now()).to_row()

        key = ProcessorRow.key(owner, processor_id)
        found = await self._parts.store.get(key)
        # Not written again at every call.
        if found is not None and not _is_old(row := ProcessorRow.from_row(found), _FRESH):
            return row
        return ProcessorRow.from_row(await self._parts.store.update(key, touch))

    async def change(self, row: ProcessorRow, **changes: JSON) -> None:
        """Write down where an object is."""

        def change_row(found: Row | None) -> Row:
            known = row if found is None else ProcessorRow.from_row(found)
            return known.changed(**changes).to_row()

        await self._parts.store.update(ProcessorRow.key(row.owner, row.processor_id), change_row)

    async def call_dataset(self, row: ProcessorRow, function: str, arguments: Arguments) -> None:
        """Change a data set by a call, which fails as a whole or not at all."""
        known = await self.built(row)
        built = replace(known, sources=dict(known.sources))
        await self._apply(built, function, arguments)
        source = await self._source(row)
        called = cast("Mapping[str, JSON]", arguments)
        # The call first: it counts from when the data set says that it has one more.
        await self._put_source(source.with_call(row.num_calls, function, called))
        await self.change(row, num_calls=row.num_calls + 1)
        self._remember(row.changed(num_calls=row.num_calls + 1), built)

    async def built(self, row: ProcessorRow) -> BuiltDataset:
        """Return a data set as its calls have made it; not to be changed."""
        known = self._built.get(_place(row))
        if known is not None:
            self._built.move_to_end(_place(row))
            return known
        built = await self._build(row, await self._source(row))
        self._remember(row, built)
        return built

    async def _build(self, row: ProcessorRow, source: DatasetSourceRow) -> BuiltDataset:
        built = BuiltDataset(is_packed=CLASSES[row.class_name])
        settings = cast("Arguments", source.settings)
        if settings.get("dataset_meta") is not None:
            await asyncio.to_thread(add_source, built, settings)
        for call in source.calls[: row.num_calls]:
            await self._apply(built, str(call["function"]), cast("Arguments", call["arguments"]))
        return built

    async def _source(self, row: ProcessorRow) -> DatasetSourceRow:
        key = DatasetSourceRow.key(row.owner, row.processor_id)
        found = await self._parts.store.get(key)
        if found is None:
            raise NotFoundError(f"There is no data set {row.processor_id!r}.", "Make it again.")
        return DatasetSourceRow.from_row(found)

    async def _put_source(self, source: DatasetSourceRow) -> None:
        key = DatasetSourceRow.key(source.owner, source.processor_id)
        await self._parts.store.put(key, source.to_row())

    async def template(self, model: str) -> PromptTemplate:
        """Return a base model's template; the default one's for an empty name."""
        return await template_of(self._parts, self._parts.config.base_model, model or None)

    async def _apply(self, built: BuiltDataset, function: str, arguments: Arguments) -> None:
        template = None
        if function in NEEDS_TEMPLATE:
            template = await self.template(built.template_model)
        elif function == "set_template":
            name = arguments.get("template_func", arguments.get("template_cls"))
            find_class(TEMPLATES, str(name), "template")
        find_class(CHANGES, function, "function")
        await asyncio.to_thread(apply, built, function, arguments, template)
        if function == "set_template":
            await self.template(built.template_model)

    async def _check_loader(self, owner: str, settings: Arguments) -> None:
        refuse_others(settings, _LOADING, "A DataLoader")
        size = settings.get("batch_size")
        if type(size) is not int or size < 1:
            raise InvalidConfigError(f"batch_size={size!r} is not a number of rows.")
        seed = settings.get("seed", 0)
        if type(seed) is not int:
            raise InvalidConfigError(f"seed={seed!r} is not a whole number.")
        dataset = await self.get(owner, str(settings.get("dataset")))
        if dataset.kind != "dataset":
            raise InvalidConfigError(f"dataset={dataset.processor_id!r} is a {dataset.kind}.")

    async def _make_room(self, owner: str) -> None:
        rows = await self._parts.store.list_rows(ProcessorRow.key(owner, ""))
        found = [(key, ProcessorRow.from_row(row)) for key, row in rows]
        old = [(key, row) for key, row in found if _is_old(row)]
        for key, row in old:
            await self._parts.store.delete(key)
            await self._parts.store.delete(DatasetSourceRow.key(owner, row.processor_id))
        if len(found) - len(old) >= MAX_PROCESSORS:
            raise QuotaExceededError(
                f"You have {MAX_PROCESSORS} data sets, loaders and the like here, and there may be"
                f" no more.",
                f"They go {_LIFE.total_seconds() / 60:.0f} minutes after they were used last.",
            )

    def _remember(self, row: ProcessorRow, built: BuiltDataset) -> None:
        self._built[_place(row)] = built
        while len(self._built) > _MAX_BUILT:
            self._built.popitem(last=False)


def _place(row: ProcessorRow) -> tuple[str, int]:
    return row.processor_id, row.num_calls


def _is_old(row: ProcessorRow, life: timedelta = _LIFE) -> bool:
    return datetime.fromisoformat(row.used_at) < datetime.now(tz=UTC) - life
