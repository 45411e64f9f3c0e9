"""Where adapters go in the base model of a folder, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from twinkle_jupyter.engine.injection import LinearSite, inject_adapters
from twinkle_jupyter.errors import InvalidDataError


@dataclass(frozen=True, slots=True)
class SitesOfFolder:
    """What can be said of a base model without its weights."""

    sites: tuple[LinearSite, ...]
    num_input_tokens: int
    #: Longest row, in tokens; None where the architecture has no limit.
    max_positions: int | None


def find_sites(folder: Path) -> SitesOfFolder:
    """Read where adapters go in the base model of a folder; no weight is loaded.

    Raises:
        InvalidConfigError: As `inject_adapters`.
        InvalidDataError: The folder's config.json cannot be read.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InvalidDataError(f"Base model {folder.name!r} has no readable config.json.") from (
            error
        )
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False
        )
    text_config = config.get_text_config()
    limit = getattr(text_config, "max_position_embeddings", None)
    return SitesOfFolder(inject_adapters(model).sites, text_config.vocab_size, limit)
