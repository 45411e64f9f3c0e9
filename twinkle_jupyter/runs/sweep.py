"""A sweep before it runs: a grid of settings, and the runs that it stands for. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from twinkle_jupyter.config.mistakes import describe_mistakes, settings_error
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import NOTHING_STARTED, InvalidConfigError
from twinkle_jupyter.store.interface import JSON

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: Runs of one sweep at most.
MAX_MEMBERS = 64
#: Kept from training unless the sweep says otherwise: it is ranked by the loss on them.
EVAL_FRACTION = 0.1

_UNCOMPARABLE = "with several, the members' losses could not be compared"
#: Settings that take one value in a sweep, and why.
_ONE_VALUE = {
    "adapter": "a sweep names its adapters itself",
    "base_model": "the members train side by side on one base model",
    "probe": "all members answer the same prompts",
    "eval_fraction": _UNCOMPARABLE,
    "loss": "conversations and preferences are different data",
    "loss_mask": _UNCOMPARABLE,
    "max_length": _UNCOMPARABLE,
    "reasoning": _UNCOMPARABLE,
}
#: Other settings are shortened to the first letters of their words.
_SHORT = {"learning_rate": "lr", "schedule": "", "warmup_steps": "wu", "seed": "seed"}


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a sweep."""

    #: Where it differs from the others.
    settings: Mapping[str, JSON]
    config: RunConfig


@dataclass(frozen=True, slots=True)
class Around:
    """What there is besides the grid."""

    #: Adapters that the sweep has already.
    taken: Collection[str] = ()
    #: How the person writes a setting, such as `{"rank": "--rank"}`; else by its own name.
    shown: Mapping[str, str] | None = None

    def name(self, setting: str) -> str:
        """Return a setting as the person writes it."""
        return (self.shown or {}).get(setting, setting)


def expand(
    name: str,
    config: Mapping[str, object],
    grid: Mapping[str, Sequence[object]],
    around: Around | None = None,
) -> tuple[Member, ...]:
    """Return a member for each combination of the grid's values, the last setting's changing first.

    Args:
        name: Of the sweep; the members' adapters are called after it.
        config: Settings that all members share, fields of `RunConfig`.
        grid: Values by setting; of a setting that is in both, these count.
        around: What there is besides.

    Raises:
        InvalidConfigError: Names every mistake in name, settings and grid at once.
    """
    around = around or Around()
    mistakes = [*_misplaced(config, grid, around), *_wrong_values(name, config, grid, around)]
    if mistakes:
        raise InvalidConfigError(" ".join(dict.fromkeys(mistakes)), NOTHING_STARTED)
    shared = {field: value for field, value in config.items() if field not in grid}
    typed = {setting: _typed(setting, values, shared) for setting, values in grid.items()}
    members = []
    for values in itertools.product(*typed.values()):
        settings = dict(zip(typed, values, strict=True))
        adapter = "-".join([name, *(_label(*one) for one in settings.items())])
        try:
            full = RunConfig.model_validate({**shared, **settings, "adapter": adapter})
        except ValidationError as error:
            raise settings_error(error, shown={"adapter": "adapter", **(around.shown or {})}) from (
                error
            )
        members.append(Member(settings, full))
    _check_members(members, around)
    return tuple(members)


def widen(
    config: Mapping[str, JSON],
    grid: Mapping[str, Sequence[JSON]],
    more: Mapping[str, Sequence[object]],
) -> dict[str, list[JSON]]:
    """Return the grid of a sweep that was extended by the combinations of `{**grid, **more}`.

    A setting that is new in the grid had one value until then: that of `config`.
    """
    whole = {setting: list(values) for setting, values in grid.items()}
    for setting, values in more.items():
        before = whole[setting] if setting in whole else [config[setting]]
        new = [value for value in _typed(setting, values, config) if value not in before]
        whole[setting] = [*before, *new]
    return whole


def _misplaced(
    config: Mapping[str, object], grid: Mapping[str, Sequence[object]], around: Around
) -> Iterator[str]:
    for setting, values in grid.items():
        written = around.name(setting)
        if setting in _ONE_VALUE:
            yield f"`{written}` takes one value in a sweep: {_ONE_VALUE[setting]}."
        elif not values:
            yield f"`{written}` has no value."
    if "adapter" in config:
        yield f"`{around.name('adapter')}` cannot be set: {_ONE_VALUE['adapter']}."


def _wrong_values(
    name: str,
    config: Mapping[str, object],
    grid: Mapping[str, Sequence[object]],
    around: Around,
) -> Iterator[str]:
    shared = {field: value for field, value in config.items() if field not in grid}
    details = _details({**shared, "adapter": name})
    for setting, values in grid.items():
        if setting in _ONE_VALUE:
            continue
        found = [_details({**shared, "adapter": name, setting: value}) for value in values]
        wrong = [one for one in itertools.chain(*found) if one["loc"][:1] in {(), (setting,)}]
        details += wrong
        if not wrong and len({str(value) for value in _typed(setting, values, shared)}) < len(
            values
        ):
            yield f"`{around.name(setting)}` has a value twice."
    shown = {"adapter": "name", **(around.shown or {})}
    if details:
        yield describe_mistakes(details, shown)


def _details(settings: Mapping[str, object]) -> list[ErrorDetails]:
    try:
        RunConfig.model_validate(settings)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _typed(setting: str, values: Sequence[object], shared: Mapping[str, object]) -> list[JSON]:
    """Return the values as settings have them; some are none without others that are shared."""
    beside = {name: value for name, value in shared.items() if name == "loss"}
    return [
        cast("JSON", getattr(RunConfig.model_validate({**beside, setting: value}), setting))
        for value in values
    ]


def _check_members(members: Sequence[Member], around: Around) -> None:
    names = [member.config.adapter for member in members]
    mistakes = [f"{name!r} is in the sweep already." for name in names if name in around.taken]
    count = len(names) + len(around.taken)
    if count > MAX_MEMBERS:
        mistakes.append(f"{count} runs are more than a sweep's {MAX_MEMBERS}.")
    if count < 2:
        mistakes.append("One run is no sweep: give a setting several values.")
    if mistakes:
        raise InvalidConfigError(" ".join(mistakes), NOTHING_STARTED)


def _label(setting: str, value: JSON) -> str:
    short = _SHORT.get(setting, "".join(word[0] for word in setting.split("_")))
    return f"{short}{format_value(value)}"


def format_value(value: JSON) -> str:
    """Write a value as short as it can be read back: 1e-4, 0.01, 16, cosine."""
    if not isinstance(value, float):
        return str(value).lower()
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    del sign  # no setting is negative
    power = int(exponent) + len(digits) - 1
    fraction = "".join(str(digit) for digit in digits[1:])
    scientific = f"{digits[0]}{'.' if fraction else ''}{fraction}e{power}"
    plain = f"{Decimal(repr(value)).normalize():f}"
    return plain if len(plain) <= len(scientific) else scientific
