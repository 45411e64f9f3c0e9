"""Can this base model be had at all? Asked before anything is started."""

from __future__ import annotations

from twinkle_jupyter.config.base_models import HubModel, LocalModel, resolve_base_model
from twinkle_jupyter.config.model_folder import find_model_problem
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.launch.model_fetch import find_base_model

_HUB_TIMEOUT_S = 5.0


def check_base_model(name: str) -> None:
    """Look for the model without fetching it. Blocks for some seconds for a hub name.

    Raises:
        NotFoundError: Nothing of that name is here or on the hub, or the hub is out of reach.
        InvalidConfigError: The folder is no complete model.
    """
    source = resolve_base_model(name)
    if isinstance(source, LocalModel):
        if problem := find_model_problem(source.folder):
            raise InvalidConfigError(
                f"Base model `{name}` cannot be used: {problem}",
                "Name a folder with config.json, tokenizer.json, a chat template and safetensors.",
            )
    elif isinstance(source, HubModel) and find_base_model(name) is None:
        _ask_hub(source.repository)


def _ask_hub(repository: str) -> None:
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(repository, timeout=_HUB_TIMEOUT_S)
    except Exception as error:
        # Which HTTP library it speaks through, and so what it raises, differs by its version.
        raise NotFoundError(
            f"Base model `{repository}` is not on this machine, and the hub does not have it or"
            " cannot be reached.",
            "Look at the spelling, or name a bundled model or a model folder.",
        ) from error
