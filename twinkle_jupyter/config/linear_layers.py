"""Which linear layers a base model has, by the part they are of; read from headers alone."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from safetensors import safe_open

from twinkle_jupyter.errors import InvalidConfigError

ModelPart = Literal["attn", "mlp"]

_LAYER_WEIGHT = re.compile(r"\.(?:layers|h|blocks)\.\d+\.(?P<module>.+)\.weight$")


def find_targets(folder: Path, parts: Collection[ModelPart]) -> tuple[str, ...]:
    """Return the names of the linear layers of these parts.

    Raises:
        InvalidConfigError: There is no part, or none that this base model has.
    """
    names: set[str] = set()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "np") as tensors:
            for key in tensors.keys():  # noqa: SIM118 - no mapping
                match = _LAYER_WEIGHT.search(key)
                if match is None or len(tensors.get_slice(key).get_shape()) != 2:
                    continue
                module = match["module"]
                if ("attn" if "att" in module else "mlp") in parts:
                    names.add(module.rpartition(".")[2])
    if not names:
        raise InvalidConfigError(
            f"train_attn and train_mlp leave no layer of base model {folder.name!r} to train."
        )
    return tuple(sorted(names))
