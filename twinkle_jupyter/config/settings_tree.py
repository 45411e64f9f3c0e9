"""The service's settings as a flat list: path, variable, flag and description of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

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


def list_settings(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """List every setting that has a value of its own, in the order of the models."""
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield from list_settings(section, (*path, name))
        else:
            yield Setting((*path, name), field)


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a field that is a section, None for a plain setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
