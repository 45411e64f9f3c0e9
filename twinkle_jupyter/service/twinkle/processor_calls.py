"""Calls of objects that a client has made: what each kind answers, and how a loader hands out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, TwinkleError
from twinkle_jupyter.service.twinkle.class_names import PROCESSORS, find_class
from twinkle_jupyter.service.twinkle.datasets import CHANGES, REFUSED, order_of
from twinkle_jupyter.service.twinkle.inputs import IGNORED, list_rows, read_feature
from twinkle_jupyter.service.twinkle.preprocessors import find_preprocessor
from twinkle_jupyter.service.twinkle.processors import Processors
from twinkle_jupyter.service.twinkle.rewards import score
from twinkle_jupyter.store.training_setups import ProcessorRow

Arguments = Mapping[str, JsonValue]


class ExhaustedError(TwinkleError):
    """A pass over the rows is over."""


async def call(
    processors: Processors, row: ProcessorRow, function: str, arguments: Arguments
) -> JsonValue:
    """Return what a call answers.

    Raises:
        ExhaustedError: There are no more rows in this pass.
        InvalidConfigError: The object has no such function, or not with these arguments.
    """
    if row.kind == "dataset" and function in REFUSED:
        raise InvalidConfigError(f"{function} is not there.", REFUSED[function])
    if row.kind == "dataset" and function in CHANGES:
        await processors.call_dataset(row, function, arguments)
        return None
    known = _FUNCTIONS.get(row.kind, _OF_OTHERS)
    if function not in known:
        names = ", ".join([*known, *(CHANGES if row.kind == "dataset" else ())])
        raise InvalidConfigError(
            f"A {row.class_name} has no function {function!r}.", f"It has {names}."
        )
    return await known[function](processors, row, arguments)


async def _rows(processors: Processors, row: ProcessorRow) -> list[JsonValue]:
    if row.kind == "dataset":
        return cast("list[JsonValue]", (await processors.built(row)).rows)
    dataset = await processors.get(row.owner, str(row.settings["dataset"]))
    return cast("list[JsonValue]", (await processors.built(dataset)).rows)


async def _get_item(processors: Processors, row: ProcessorRow, arguments: Arguments) -> JsonValue:
    place = arguments.get("idx", arguments.get("index"))
    rows = await _rows(processors, row)
    if type(place) is not int or not -len(rows) <= place < len(rows):
        raise InvalidDataError(f"Row {place!r} is not there: the data set has {len(rows)}.")
    return rows[place]


async def _length(processors: Processors, row: ProcessorRow, _: Arguments) -> JsonValue:
    return -(-len(await _rows(processors, row)) // _size(row))


async def _begin(processors: Processors, row: ProcessorRow, _: Arguments) -> JsonValue:
    await processors.change(row, epoch=row.epoch + 1, position=row.num_skipped, num_skipped=0)
    return "ok"


async def _next(processors: Processors, row: ProcessorRow, _: Arguments) -> JsonValue:
    if row.position < 0:
        await _begin(processors, row, {})
        row = await processors.get(row.owner, row.processor_id)
    rows, size = await _rows(processors, row), _size(row)
    seed = cast("int", row.settings.get("seed", 0))
    is_shuffled = bool(row.settings.get("shuffle"))
    order = order_of(len(rows), shuffle=is_shuffled, seed=seed, epoch=row.epoch)
    chosen = order[row.position : row.position + size]
    is_short = len(chosen) < size and bool(row.settings.get("drop_last"))
    if not chosen or is_short:
        raise ExhaustedError("The pass over the rows is over.")
    await processors.change(
        row, position=row.position + size, num_consumed=row.num_consumed + len(chosen)
    )
    batch = [rows[place] for place in chosen]
    return batch if row.kind == "dataloader" else batch[0]


async def _skip(processors: Processors, row: ProcessorRow, arguments: Arguments) -> JsonValue:
    count = arguments.get("consumed_train_samples", 0)
    if type(count) is not int or count < 0:
        raise InvalidDataError(f"consumed_train_samples={count!r} is not a number of rows.")
    num_rows = len(await _rows(processors, row))
    # What was consumed in whole passes does not need to be left out of the next one.
    await processors.change(
        row, num_skipped=count % num_rows if num_rows else 0, num_consumed=count, position=-1
    )
    return None


async def _state(_: Processors, row: ProcessorRow, __: Arguments) -> JsonValue:
    return {"consumed_train_samples": row.num_consumed}


async def _set_processor(_: Processors, __: ProcessorRow, arguments: Arguments) -> JsonValue:
    find_class(PROCESSORS, str(arguments.get("processor_cls")), "processor_cls")
    return None


async def _call(_: Processors, row: ProcessorRow, arguments: Arguments) -> JsonValue:
    return await asyncio.to_thread(_apply, row, arguments)


def _apply(row: ProcessorRow, arguments: Arguments) -> JsonValue:
    if row.kind == "reward":
        return score(row.class_name, arguments.get("trajectories"))
    if row.kind == "preprocessor":
        settings = cast("Arguments", row.settings)
        preprocess = find_preprocessor(row.class_name, settings)
        return [preprocess(one, settings) for one in list_rows(arguments.get("rows"))]
    if row.kind == "processor":
        return _collate(arguments.get("inputs"))
    raise InvalidConfigError(f"A {row.class_name} cannot be called.")


#: Tokens and padding of one batch.
_MAX_CELLS = 4_000_000


def _collate(inputs: JsonValue) -> JsonValue:
    """Return rows as one batch, padded on the right."""
    found = list_rows(inputs)
    rows = [part for i, one in enumerate(found) for part in read_feature(one, f"inputs[{i}]")]
    longest = max(len(row.tokens) for row in rows)
    if longest * len(rows) > _MAX_CELLS:
        raise InvalidDataError(
            f"{len(rows)} rows padded to {longest} tokens are more than {_MAX_CELLS} cells.",
            "Collate fewer rows, or rows of like length.",
        )

    def pad(values: tuple[int, ...], filler: int) -> JsonValue:
        return [*values, *[filler] * (longest - len(values))]

    return {
        "input_ids": [pad(row.tokens, 0) for row in rows],
        "labels": [pad(row.labels, IGNORED) for row in rows],
        "attention_mask": [pad((1,) * len(row.tokens), 0) for row in rows],
        "position_ids": [list(range(longest)) for _ in rows],
        "length": [len(row.tokens) for row in rows],
    }


def _size(row: ProcessorRow) -> int:
    return cast("int", row.settings["batch_size"]) if row.kind == "dataloader" else 1


_Function = Callable[[Processors, ProcessorRow, Arguments], Awaitable[JsonValue]]
_OF_ROWS: Mapping[str, _Function] = {"__len__": _length, "__iter__": _begin, "__next__": _next}
_OF_OTHERS: Mapping[str, _Function] = {"__call__": _call}
_FUNCTIONS: Mapping[str, Mapping[str, _Function]] = {
    "dataset": {**_OF_ROWS, "__getitem__": _get_item},
    "dataloader": {
        **_OF_ROWS,
        "skip_consumed_samples": _skip,
        "resume_from_checkpoint": _skip,
        "get_state": _state,
        "set_processor": _set_processor,
    },
}
