"""What must not change under stored state, and how to say what has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twinkle_jupyter.config.service_config import ServiceConfig

#: Counts up when rows, logs or artifacts are kept in another way.
STATE_FORMAT = 1


def make_signature(config: ServiceConfig) -> dict[str, str]:
    """Return the settings that stored adapters, journals and rows depend on, by dotted path."""
    signature = {"format of the stored state": str(STATE_FORMAT)}
    for name, model in sorted(config.base_models.items()):
        if model.source is not None:
            signature[f"base_models.{name}.source"] = _whole(model.source)
        if model.trainer is not None and "dtype" in model.trainer.model_fields_set:
            signature[f"base_models.{name}.trainer.dtype"] = model.trainer.dtype
    signature["trainer.dtype"] = config.trainer.dtype
    if config.store is not None:
        # A server remembers checkpoints that lie in a folder, and would look for them in another.
        signature["home"] = str(config.home)
    return signature


def find_drift(config: ServiceConfig, stored: Mapping[str, object]) -> list[str]:
    """Return a line for each setting whose value is another one than was stored.

    What is said of a base model that nobody has trained yet may come and go.
    """
    current = make_signature(config)
    return [
        f"{path}: stored {stored.get(path, 'not set')}, now {current.get(path, 'not set')}"
        for path in sorted({*stored, *current})
        if stored.get(path) != current.get(path) and _matters(config, path)
    ]


def _matters(config: ServiceConfig, path: str) -> bool:
    section, _, rest = path.partition(".")
    if section != "base_models":
        return True
    name = rest.removesuffix(".source").removesuffix(".trainer.dtype")
    return config.trainer_folder(name).exists()


def _whole(source: str) -> str:
    """Return a folder's path from the root, other names as they are."""
    folder = Path(source).expanduser()
    return str(folder.absolute()) if folder.is_dir() else source
