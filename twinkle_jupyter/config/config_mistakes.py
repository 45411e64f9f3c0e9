"""Mistakes in the service's configuration: all at once, with what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from twinkle_jupyter.config.mistakes import describe_mistakes
from twinkle_jupyter.config.settings_tree import list_settings
from twinkle_jupyter.errors import NOTHING_STARTED, InvalidConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: Names of other servers' configurations, and of our own past, with what says the same here.
_FORMER_NAMES = {
    "telemetry_config": "telemetry",
    "persistence_config": "store",
    "use_megatron": "trainer",
    "http_options": "http",
    "applications": "base_models",
    "server_config": "the settings of this file",
    "model_id": "base_model",
    "max_loras": "trainer.max_active_adapters",
    "adapter_timeout": "sessions.timeout_s",
    "session_timeout_s": "sessions.timeout_s",
    "sampler_engine": "sampler.engine",
}


def config_error(error: ValidationError, model: type[BaseModel]) -> InvalidConfigError:
    """Turn all mistakes that pydantic found into one error."""
    said = [_sentence(detail, model) for detail in error.errors(include_url=False)]
    return InvalidConfigError(" ".join(dict.fromkeys(said)), NOTHING_STARTED)


def refuse_misspelt_variables(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Raise for a variable such as `TWINKLE_HTTP_PORT`, which nothing would read.

    Raises:
        InvalidConfigError: Names each, with the variable that was meant.
    """
    meant = {}
    for setting in list_settings(model):
        nearly = "TWINKLE_" + "_".join(setting.path).upper()
        bare = "TWINKLE_" + setting.path[-1].upper()
        for wrong in {nearly, bare} - {setting.variable}:
            if wrong in environment and len(setting.path) > 1:
                meant[wrong] = setting.variable
    # `TWINKLE_STORE` is a setting of its own, whatever a section has of that name.
    own = {setting.variable for setting in list_settings(model)}
    said = [f"`{wrong}` is not read; write `{right}`." for wrong, right in meant.items()
            if wrong not in own]  # fmt: skip
    if said:
        raise InvalidConfigError(" ".join(said), NOTHING_STARTED)


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    if detail["type"] != "extra_forbidden":
        return describe_mistakes([detail], model=model)
    path = [str(part) for part in detail["loc"]]
    shown = f"`{'.'.join(path)}` is not a setting"
    if (new := _FORMER_NAMES.get(path[-1])) is not None:
        return f"{shown} of this service; here it is `{new}`."
    settings = [setting.dotted for setting in list_settings(model)]
    leaves = {dotted.split(".")[-1]: dotted for dotted in reversed(settings)}
    near = difflib.get_close_matches(".".join(path), settings, n=1, cutoff=0.7) or [
        leaves[leaf] for leaf in difflib.get_close_matches(path[-1], leaves, n=1, cutoff=0.7)
    ]
    return f"{shown}; did you mean `{near[0]}`?" if near else f"{shown}."
