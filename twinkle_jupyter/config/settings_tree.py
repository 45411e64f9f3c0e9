"""The service's settings as a flat list: path, variable, flag and description of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_PREFIX = "TWINKLE_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the service."""

    #: From the root: `("http", "port")`.
    path: tuple[str, ...]
    field: FieldInfo

    @property
    def dotted(self) -> str:
        """As it is written in sentences: `http.port`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable: `TWINKLE_HTTP__PORT`."""
        return _PREFIX + "__".join(self.path).upper()

    @property
    def flag(self) -> str:
        """The flag of `twinkle serve`: `--http.port`, `--trainer.token-budget`."""
        return f"--{self.dotted}".replace("_", "-")

    def text_in(self, config: BaseModel) -> str | None:
        """Return the setting as its variable has it; None where it is not set. May be secret."""
        value: object = config
        for name in self.path:
            value = getattr(value, name)
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        if isinstance(value, tuple):
            return json.dumps([_as_json(one) for one in value])
        if isinstance(value, dict):
            return json.dumps({name: _as_json(part) for name, part in value.items()})
        return None if value is None else str(value)


def list_settings(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """List every setting that has a value of its own, in the order of the models."""
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield from list_settings(section, (*path, name))
        else:
            yield Setting((*path, name), field)


def _as_json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    return value


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a field that is a section, None for a plain setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
