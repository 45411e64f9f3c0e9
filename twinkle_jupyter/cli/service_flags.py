"""The service's settings as flags: one for each, and a short one for what is set often."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from pathlib import Path

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.config.settings_tree import Setting, list_settings

#: What is more than a word, and a secret, which everybody on the machine would see.
_NO_FLAG = {"base_models", "supported_models", "limits.users", "limits.groups", "hub.api_token"}
_SHORT = {"http.host": "--host", "http.port": "--port"}


def add_service_flags(parser: ArgumentParser) -> None:
    """Take a file, and every setting that a flag can hold."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML file with settings (TWINKLE_CONFIG)"
    )
    for setting in list_settings(ServiceConfig):
        if not _is_plain(setting):
            continue
        names = [name for name in (_SHORT.get(setting.dotted), setting.flag) if name]
        parser.add_argument(
            *names,
            dest=setting.dotted,
            metavar="VALUE",
            default=SUPPRESS,
            help=f"{setting.field.description} ({setting.variable})".replace("%", "%%"),
        )


def load_config(given: Namespace) -> ServiceConfig:
    """Return the configuration of these flags, the environment and the file.

    Raises what `ServiceConfig.load` raises.
    """
    settings: dict[str, object] = {}
    values = vars(given)
    for setting in list_settings(ServiceConfig):
        if setting.dotted not in values:
            continue
        place = settings
        for name in setting.path[:-1]:
            place = place.setdefault(name, {})  # type: ignore[assignment]
        place[setting.path[-1]] = values[setting.dotted]
    return ServiceConfig.load(given.config, **settings)


def _is_plain(setting: Setting) -> bool:
    return setting.dotted not in _NO_FLAG
