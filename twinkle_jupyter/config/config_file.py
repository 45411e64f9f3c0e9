"""The service's configuration as a YAML file: read with the line of what is wrong with it."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import cast

import yaml
from typing_extensions import override

from twinkle_jupyter.errors import NOTHING_STARTED, InvalidConfigError, NotFoundError

_MAX_BYTES = 2**20


def read_config_file(path: Path) -> dict[str, object]:
    """Return what the file says; {} for one that says nothing.

    Raises:
        NotFoundError: There is no such file.
        InvalidConfigError: It is not YAML, says a thing twice, or is not a mapping of settings.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f"Configuration file `{path}` does not exist.") from error
    except OSError as error:
        raise InvalidConfigError(
            f"Configuration file `{path}` cannot be read: {error.strerror}.", NOTHING_STARTED
        ) from error
    if len(raw) > _MAX_BYTES:
        raise InvalidConfigError(f"Configuration file `{path}` has more than {_MAX_BYTES} bytes.")
    try:
        found: object = yaml.load(raw, _OnceEach)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidConfigError(
            f"Configuration file `{path}` is not YAML: {_place(error)}.", NOTHING_STARTED
        ) from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InvalidConfigError(
            f"Configuration file `{path}` is not a mapping of settings to values.", NOTHING_STARTED
        )
    return cast("dict[str, object]", found)


class _OnceEach(yaml.SafeLoader):
    """Plain values only, and no name twice in a mapping: YAML itself would take the last."""

    @override
    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if isinstance(name, Hashable) and name in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"`{name}` is there twice", problem_mark=key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


def _place(error: Exception) -> str:
    problem = str(getattr(error, "problem", None) or "it cannot be read")
    mark = getattr(error, "problem_mark", None)
    return problem if mark is None else f"{problem}, line {mark.line + 1}, column {mark.column + 1}"
