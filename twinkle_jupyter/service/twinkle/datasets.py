"""Data sets that a client builds here: rows, then conversations, then tokens.

Rows come with the request, or are of a data set in the box. Nothing is read from a path or a hub.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from pydantic import JsonValue

from twinkle_jupyter.datasets.records import load_records, shipped_names
from twinkle_jupyter.errors import ConflictError, InvalidConfigError, InvalidDataError
from twinkle_jupyter.service.parts import PromptTemplate
from twinkle_jupyter.service.twinkle.conversations import TemplateUse
from twinkle_jupyter.service.twinkle.inputs import TokenRow, as_feature, is_encoded
from twinkle_jupyter.service.twinkle.packing import first_fit
from twinkle_jupyter.service.twinkle.preprocessors import find_preprocessor
from twinkle_jupyter.wire.twinkle_objects import DatasetMetaBody, read_dataset_meta

Row = Mapping[str, JsonValue]
Arguments = Mapping[str, JsonValue]
#: Rows of one data set; each may come several times.
MAX_ROWS = 100_000
CLASSES: Mapping[str, bool] = {
    "Dataset": False,
    "LazyDataset": False,
    "IterableDataset": False,
    "PackingDataset": True,
    "IterablePackingDataset": True,
}
_READS = ("ground_truth", "user_data")
#: Of a row of two answers, the better one first.
_PAIR = ("positive", "negative")


@dataclass(slots=True)
class BuiltDataset:
    """A data set as the calls so far have made it."""

    #: Whether rows are put together to the greatest length before they are handed out.
    is_packed: bool = False
    #: By label: the rows of each source, until they are mixed.
    sources: dict[str, list[Row]] = field(default_factory=dict)
    mixed: list[Row] | None = None
    use: TemplateUse | None = None
    #: The base model whose template it is; empty for the service's own.
    template_model: str = ""
    packs: list[Row] | None = None

    @property
    def rows(self) -> list[Row]:
        """What is handed out.

        Raises:
            ConflictError: There are several sources, or packs that nobody has made.
        """
        if self.is_packed and self.packs is None:
            raise ConflictError("The data set is not packed.", "Call pack_dataset() first.")
        return self.packs if self.packs is not None else self._unpacked

    @property
    def _unpacked(self) -> list[Row]:
        if self.mixed is not None:
            return self.mixed
        if len(self.sources) != 1:
            raise ConflictError(
                f"The data set has {len(self.sources)} sources.", "Call mix_dataset() first."
            )
        return next(iter(self.sources.values()))

    def replace_rows(self, rows: list[Row], label: str | None = None) -> None:
        """Put these rows in the place of the ones that there are."""
        if self.mixed is not None:
            self.mixed = rows
        else:
            self.sources[label if label is not None else next(iter(self.sources))] = rows


def load_rows(meta: DatasetMetaBody) -> list[Row]:
    """Return the rows that a description names.

    Raises:
        InvalidDataError: There is no such data set, or it has too many rows.
    """
    if meta.data is not None:
        rows = _by_row(meta.data) if isinstance(meta.data, dict) else list(meta.data)
    elif meta.dataset_id in shipped_names():
        rows = cast("list[dict[str, JsonValue]]", load_records(meta.dataset_id).records)
    else:
        raise InvalidDataError(
            f"dataset_id={meta.dataset_id!r} is not a data set of this service, which reads neither"
            " folders nor hubs.",
            f"There are {', '.join(shipped_names())}; DatasetMeta(data=[...]) brings rows along.",
        )
    places = meta.choose(len(rows))
    if len(places) > MAX_ROWS:
        raise InvalidDataError(
            f"A data set of {len(places):,} rows is too large.", f"It can have {MAX_ROWS:,}."
        )
    return [rows[place] for place in places]


def add_source(built: BuiltDataset, arguments: Arguments) -> None:
    """`add_dataset`, and what a data set is made with."""
    meta = read_dataset_meta(arguments.get("dataset_meta"))
    rows = load_rows(meta)
    if sum(map(len, built.sources.values())) + len(rows) > MAX_ROWS:
        raise InvalidDataError(f"A data set can have {MAX_ROWS:,} rows.")
    label = meta.label if meta.data is None else f"{meta.label}#{len(built.sources)}"
    built.sources[label] = rows


def apply(
    built: BuiltDataset, function: str, arguments: Arguments, template: PromptTemplate | None
) -> None:
    """Change a data set by a call; may take long.

    Args:
        built: Changed in place.
        function: One of `CHANGES`.
        arguments: Of the call.
        template: For calls in `NEEDS_TEMPLATE`.
    """
    built.packs = built.packs if function == "pack_dataset" else None
    CHANGES[function](built, arguments, template)


def _set_template(built: BuiltDataset, arguments: Arguments, _: PromptTemplate | None) -> None:
    named = ("template_func", "template_cls")
    settings = {name: value for name, value in arguments.items() if name not in named}
    built.use = TemplateUse.read(settings)
    built.template_model = str(settings.get("model_id") or "").rpartition("://")[2]


def _encode(built: BuiltDataset, arguments: Arguments, template: PromptTemplate | None) -> None:
    use = _use_of(built)
    removed = arguments.get("remove_columns")
    dropped = set(cast("list[str]", removed)) if isinstance(removed, list) else set()
    is_prompt = bool(arguments.get("add_generation_prompt"))
    assert template is not None  # noqa: S101 - the caller's part
    encode: Callable[..., list[TokenRow]] = use.encode_prompt if is_prompt else use.encode
    rows: list[Row] = []
    for number, row in enumerate(built._unpacked, start=1):  # noqa: SLF001 - of this module
        kept = {name: value for name, value in row.items() if name not in dropped}
        for part in _features_of(row, f"Row {number}", partial(encode, template)):
            if len(rows) >= MAX_ROWS:
                raise InvalidDataError(f"The rows make more than {MAX_ROWS} parts.")
            rows.append({**kept, **part})
    built.replace_rows(rows)


def _features_of(
    row: Row, name: str, encode: Callable[[Row, str], list[TokenRow]]
) -> list[dict[str, JsonValue]]:
    """Return a conversation's parts, or the two answers of a pair in one."""
    if not set(_PAIR) <= row.keys():
        return [as_feature(part.tokens, part.labels) for part in encode(row, name)]
    found: dict[str, JsonValue] = {}
    for which in _PAIR:
        one = row[which]
        parts = encode(one, f"{name}.{which}") if isinstance(one, dict) else []
        if len(parts) > 1:
            raise InvalidDataError(
                f"{name}.{which} would be split, and a pair cannot be.",
                "Take another truncation_strategy, or raise max_length.",
            )
        if not parts:
            return []
        found[which] = as_feature(parts[0].tokens, parts[0].labels)
    return [found]


def _check(built: BuiltDataset, _: Arguments, template: PromptTemplate | None) -> None:
    """Leave out what cannot be encoded."""
    use = _use_of(built)
    assert template is not None  # noqa: S101 - the caller's part

    def is_fine(row: Row) -> bool:
        try:
            return bool(_features_of(row, "A row", partial(use.encode, template)))
        except InvalidDataError:
            return False

    built.replace_rows([row for row in built._unpacked if is_fine(row)])  # noqa: SLF001


def _map(built: BuiltDataset, arguments: Arguments, _: PromptTemplate | None) -> None:
    given = arguments.get("init_args")
    settings = given if isinstance(given, dict) else {}
    preprocess = find_preprocessor(arguments.get("preprocess_func"), settings)
    label = _label(built, arguments)
    rows = built.mixed if built.mixed is not None else built.sources[label]
    # A data set in the box holds conversations already.
    made: list[Row] = [
        row if set(row) <= {"messages", *_READS} else preprocess(row, settings) for row in rows
    ]
    built.replace_rows(made, label)


def _label(built: BuiltDataset, arguments: Arguments) -> str:
    """Return which source a call is about."""
    wanted = arguments.get("dataset_meta")
    if wanted is None:
        if len(built.sources) != 1:
            raise InvalidConfigError("Say which of the sources: pass its dataset_meta.")
        return next(iter(built.sources))
    meta = read_dataset_meta(wanted)
    for label in built.sources:
        if label.partition("#")[0] == meta.label:
            return label
    raise InvalidConfigError(f"The data set has no source {meta.dataset_id!r}.")


def _mix(built: BuiltDataset, arguments: Arguments, _: PromptTemplate | None) -> None:
    sources = list(built.sources.values())
    if arguments.get("interleave", True):
        built.mixed = [row for rows in zip(*sources, strict=False) for row in rows]
    else:
        built.mixed = [row for rows in sources for row in rows]


def _pack(built: BuiltDataset, _: Arguments, __: PromptTemplate | None) -> None:
    """Put rows together to the greatest length: the longest first, each where it fits first."""
    limit = _use_of(built).max_length
    rows = built._unpacked  # noqa: SLF001 - of this module
    if not all(map(is_encoded, rows)):
        raise ConflictError("The data set is not encoded.", "Call encode() before it is packed.")
    ordered = sorted(rows, key=_length, reverse=True)
    bins: defaultdict[int, list[Row]] = defaultdict(list)
    for number, row in zip(
        first_fit([_length(one) for one in ordered], limit), ordered, strict=True
    ):
        bins[number].append(row)
    built.packs = [_join(bins[number]) for number in sorted(bins)]


def _join(rows: Sequence[Row]) -> Row:
    joined: dict[str, JsonValue] = {}
    for name in rows[0]:
        values = [row.get(name) for row in rows]
        are_numbers = all(isinstance(one, list) and one and type(one[0]) is int for one in values)
        joined[name] = (
            [number for one in values for number in cast("list[JsonValue]", one)]
            if are_numbers
            else values
        )
    return joined


def _length(row: Row) -> int:
    return len(cast("list[int]", row["input_ids"]))


def _use_of(built: BuiltDataset) -> TemplateUse:
    if built.use is None:
        raise ConflictError("The data set has no template.", "Call set_template(...) first.")
    return built.use


def _by_row(columns: Mapping[str, list[JsonValue]]) -> list[dict[str, JsonValue]]:
    if len(set(map(len, columns.values()))) > 1:
        raise InvalidDataError("The columns of data differ in length.")
    count = len(next(iter(columns.values()), []))
    return [{name: column[i] for name, column in columns.items()} for i in range(count)]


CHANGES: Mapping[str, Callable[[BuiltDataset, Arguments, PromptTemplate | None], None]] = {
    "set_template": _set_template,
    "encode": _encode,
    "check": _check,
    "map": _map,
    "add_dataset": lambda built, arguments, _: add_source(built, arguments),
    "mix_dataset": _mix,
    "pack_dataset": _pack,
}
NEEDS_TEMPLATE = ("encode", "check")
#: What is not there, and why.
REFUSED: Mapping[str, str] = {
    "filter": "There are no filters here; leave rows out before they are sent.",
    "cast_column": "Models here read text; there is no column to decode.",
    "save_as": "A service writes no files for a client; read the rows and write them yourself.",
    "flush_save": "A service writes no files for a client.",
}


def order_of(num_rows: int, *, shuffle: bool, seed: int, epoch: int) -> list[int]:
    """Return the rows of one pass over them, in order."""
    order = list(range(num_rows))
    if shuffle:
        random.Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 - an order, no secret
    return order
