"""What the Twinkle client sends as a JSON text in a field: shapes of adapters, and data sets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError


class PeftConfigBody(BaseModel):
    """A `peft.LoraConfig`, as far as an adapter here can be so."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    r: int = Field(default=8, ge=1, le=256)
    lora_alpha: float = Field(default=8, gt=0, allow_inf_nan=False)
    use_rslora: bool = False
    #: Taken, and not applied: upstream's service trains with that of its slots, which is none.
    lora_dropout: float | None = Field(default=None, ge=0, lt=1)
    target_modules: str | list[str] | None = None

    @property
    def alpha(self) -> float:
        """What the adapter's output is scaled with, times its rank."""
        return self.lora_alpha * self.r**0.5 if self.use_rslora else self.lora_alpha

    @property
    def targets(self) -> tuple[str, ...]:
        """Last parts of the names of the layers that it is on; empty for all."""
        names = self.target_modules
        if names is None or names == "all-linear":
            return ()
        return tuple(sorted({names} if isinstance(names, str) else set(names)))


#: Settings of a `LoraConfig` that change what is trained, and what each may be here.
_ONLY: dict[str, tuple[JsonValue, ...]] = {
    "bias": (None, "none"),
    "modules_to_save": (None, []),
    "layers_to_transform": (None, []),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
    "exclude_modules": (None, []),
    "trainable_token_indices": (None, []),
    "target_parameters": (None, []),
    "use_dora": (None, False),
    "fan_in_fan_out": (None, False),
    "init_lora_weights": (None, True, False),
}


def read_lora_config(config: str | dict[str, JsonValue]) -> PeftConfigBody:
    """Read the shape of an adapter.

    Raises:
        InvalidConfigError: It is none, or has what adapters here do not; names all of it.
    """
    content = _parse(config) if isinstance(config, str) else config
    if not isinstance(content, dict):
        raise InvalidConfigError("config is not a LoraConfig as JSON.")
    kind = content.get("peft_type", "LORA")
    wrong = [f"peft_type={kind!r}"] if kind != "LORA" else []
    wrong += [
        f"{name}={content[name]!r}"
        for name, allowed in _ONLY.items()
        if content.get(name) not in allowed
    ]
    if wrong:
        raise InvalidConfigError(
            f"An adapter here cannot have {', '.join(wrong)}.", "Leave it at the default."
        )
    return PeftConfigBody.model_validate(content)


class DatasetMetaBody(BaseModel):
    """Which data set, or the rows themselves, and which of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset_id: str = ""
    subset_name: str = "default"
    split: str = "train"
    data_slice: _RangeBody | _ListBody | None = None
    data: list[dict[str, JsonValue]] | dict[str, list[JsonValue]] | None = None

    @property
    def label(self) -> str:
        """What tells it from another one of the same data loader."""
        return f"{self.dataset_id}:{self.subset_name}:{self.split}"

    def choose(self, num_rows: int) -> Sequence[int]:
        """Return which rows are wanted; beyond the end it goes on from the first one."""
        if self.data_slice is None or not num_rows:
            return range(num_rows)
        return [place % num_rows for place in self.data_slice.places]


class _RangeBody(BaseModel):
    start: Annotated[int, Field(ge=0, le=10**7)]
    stop: Annotated[int, Field(ge=0, le=10**7)]
    step: Annotated[int, Field(ge=1)] = 1

    @property
    def places(self) -> Sequence[int]:
        return range(self.start, self.stop, self.step)


class _ListBody(BaseModel):
    values: list[Annotated[int, Field(ge=0)]]

    @property
    def places(self) -> Sequence[int]:
        return self.values


def read_dataset_meta(value: JsonValue) -> DatasetMetaBody:
    """Read a data set's description; raises InvalidDataError for what is none."""
    content = _parse(value) if isinstance(value, str) else value
    if not isinstance(content, dict):
        raise InvalidDataError("dataset_meta is not a DatasetMeta as JSON.")
    return DatasetMetaBody.model_validate(content)


def _parse(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return None
    return value
