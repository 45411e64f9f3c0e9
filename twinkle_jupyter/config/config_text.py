"""The service's configuration as text: what is set, or every setting with what it means."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Literal, cast, get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, SecretStr

from twinkle_jupyter.config.service_config import HIDDEN, ServiceConfig
from twinkle_jupyter.config.service_sections import BaseModelSection
from twinkle_jupyter.config.settings_tree import section_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_WIDTH = 96
_EXAMPLES = {"trainer": "{dtype: float32}", "sampler": "{replicas: 2}"}


def write_config(config: ServiceConfig, form: Literal["yaml", "json"]) -> str:
    """Write every setting with its value; reading the text gives the same configuration.

    The one secret there is, a password in the store's URL, is hidden.
    """
    settings = cast("dict[str, object]", config.model_dump(mode="json", exclude={"store"}))
    settings["base_models"] = {
        name: model.model_dump(mode="json", exclude_unset=True)
        for name, model in config.base_models.items()
    }
    cast("dict[str, object]", settings["limits"]).update(
        {
            kind: {name: said.model_dump(exclude_unset=True) for name, said in of.items()}
            for kind, of in (("users", config.limits.users), ("groups", config.limits.groups))
        }
    )
    settings["store"] = _without_password(config.store)
    if form == "json":
        return json.dumps(settings, indent=2) + "\n"
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def write_example() -> str:
    """Write a file with every setting, its default, its meaning, and what is allowed."""
    lines = [
        "# Every setting of the service, with its default. A setting that is left out has it, too.",
        "# Each has a variable (TWINKLE_HTTP__PORT) and a flag of `twinkle serve` (--http.port),",
        "# which come before the file. `twinkle check-config FILE` tells what is wrong with one.",
    ]
    lines += _describe(ServiceConfig, 0)
    return "\n".join(lines) + "\n"


def _describe(model: type[BaseModel], depth: int) -> list[str]:
    lines: list[str] = []
    indent = "  " * depth
    for name, field in model.model_fields.items():
        lines += ["", *_comment(field, indent)] if depth == 0 else _comment(field, indent)
        section = section_of(field)
        if section is not None:
            lines += [f"{indent}{name}:", *_describe(section, depth + 1)]
        elif name == "base_models":
            lines += [f"{indent}{name}: {{}}", *_describe_base_model()]
        elif field.default_factory is not None:
            lines.append(f"{indent}#{name}:")
        else:
            lines.append(f"{indent}{name}: {_default(field)}")
    return lines


def _describe_base_model() -> list[str]:
    """Describe an entry as a comment: an example entry would be taken for a setting."""
    lines = ["#  small:"]
    for name, field in BaseModelSection.model_fields.items():
        lines += [f"#    {line}" for line in _comment(field, "")]
        lines.append(f"#    {name}: {_EXAMPLES.get(name, 'smollm2-135m-instruct')}")
    return lines


def _comment(field: FieldInfo, indent: str) -> list[str]:
    allowed = _allowed(field)
    text = f"{field.description or ''}{f' ({allowed})' if allowed else ''}"
    text = f"{text[:1].upper()}{text[1:]}."
    return textwrap.wrap(
        text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
    )


def _allowed(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return " | ".join(str(choice) for choice in get_args(kind))
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {limit}"
        for name, sign in signs.items()
        for part in field.metadata
        if (limit := getattr(part, name, None)) is not None
    ]
    return ", ".join(limits)


def _default(field: FieldInfo) -> str:
    return "null" if field.default is None else json.dumps(field.default)


def _without_password(store: SecretStr | None) -> str | None:
    if store is None:
        return None
    # redis-py takes a password in the query, too.
    text = re.sub(r"(?<=[?&]password=)[^&]*", HIDDEN, store.get_secret_value())
    parts = urlsplit(text)
    if parts.password is None:
        return text
    who = f"{parts.username or ''}:{HIDDEN}@"
    return urlunsplit(parts._replace(netloc=who + parts.netloc.rpartition("@")[2]))
