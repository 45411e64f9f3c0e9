"""A LoRA that another program made with PEFT, as a checkpoint of ours: its weights at step 0.

What it is on is read from the tensors, not from patterns in its config. What would be computed in
another way here is refused, by name; pickles are never opened.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from twinkle_jupyter.engine.adapter_bank import AdapterState
from twinkle_jupyter.engine.adapter_layout import AdapterLayout, layer_number
from twinkle_jupyter.engine.base_model import fingerprint_base_model
from twinkle_jupyter.engine.checkpoint import CONFIG_FILE, WEIGHTS_FILE, save_checkpoint
from twinkle_jupyter.engine.injection import LinearSite, inject_adapters
from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.scheduling.request import AdapterSpec

#: Settings of PEFT's that change what is computed, and what people call them.
_REFUSED = {
    "use_dora": "DoRA",
    "use_rslora": "rank-stabilised scaling (rsLoRA)",
    "use_qalora": "QALoRA",
    "modules_to_save": "modules that were trained in full",
    "trainable_token_indices": "tokens that were trained in full",
    "target_parameters": "parameters outside of linear layers",
    "rank_pattern": "a rank that differs by layer",
    "alpha_pattern": "an alpha that differs by layer",
    "layer_replication": "layers that are used twice",
    "alora_invocation_tokens": "an invocation by tokens (aLoRA)",
    "fan_in_fan_out": "transposed weights",
    "lora_bias": "trained biases",
    "megatron_config": "Megatron's layers",
    "arrow_config": "routing between adapters (Arrow)",
    "use_bdlora": "block-diagonal matrices (BD-LoRA)",
    "kasa_config": "KaSA",
    "velora_config": "VeLoRA",
    "monteclora_config": "MonteCLoRA",
}
#: First weights that leave the base model's own as they were; PiSSA, OLoRA and others do not.
_PLAIN_STARTS = (True, False, "gaussian", "eva", "orthogonal")
_MAX_RANK, _MAX_ALPHA = 256, 4096
_PREFIX = "base_model.model."


def import_peft(
    folder: Path, base_folder: Path, base_model_name: str, checkpoint: Path
) -> AdapterSpec:
    """Write the adapter in `folder` as `checkpoint`; return its shape.

    Args:
        folder: Has adapter_config.json and adapter_model.safetensors.
        base_folder: The base model that it is to go on with.
        base_model_name: As people know it.
        checkpoint: Where to; written whole or not at all.

    Raises:
        NotFoundError: There is no adapter in `folder`.
        InvalidDataError: It is of a kind that is not computed here, or does not fit the base model.
    """
    config = _read_config(folder)
    _check_kind(config, folder.name)
    tensors = _read_tensors(folder)
    sites = _linear_sites(base_folder)
    spec = _spec(config, tensors, sites, folder.name)
    layout = AdapterLayout.of(sites, spec)
    flat = torch.zeros(layout.num_parameters)
    views = layout.name_tensors(layout.split(flat))
    _check_shapes(tensors, views, folder.name)
    for name, view in views.items():
        view.copy_(tensors[name])
    state = AdapterState(spec, flat, torch.zeros_like(flat), torch.zeros_like(flat), None, step=0)
    fingerprint = fingerprint_base_model(base_folder)
    save_checkpoint(checkpoint, state, layout, base_model_name, fingerprint)
    return spec


def _read_config(folder: Path) -> dict[str, object]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise NotFoundError(
            f"Folder `{folder}` holds no PEFT adapter: it has no {CONFIG_FILE}.",
            "Name the folder that `save_pretrained` wrote.",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidDataError(f"`{path}` is not readable JSON.") from error
    if not isinstance(config, dict):
        raise InvalidDataError(f"`{path}` is not a PEFT configuration.")
    return config


def _check_kind(config: Mapping[str, object], name: str) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise InvalidDataError(f"Adapter {name!r} is of kind {kind!r}; only LORA can be imported.")
    if config.get("bias", "none") != "none":
        raise InvalidDataError(f"Adapter {name!r} has trained biases, which are not computed here.")
    if (start := config.get("init_lora_weights", True)) not in _PLAIN_STARTS:
        raise InvalidDataError(
            f"Adapter {name!r} began as {start!r}, which changes the base model's own weights."
        )
    for setting, meaning in _REFUSED.items():
        if config.get(setting):
            raise InvalidDataError(
                f"Adapter {name!r} has {meaning} (`{setting}`), which is not computed here."
            )


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        if (folder / "adapter_model.bin").exists():
            raise InvalidDataError(
                f"Adapter {folder.name!r} has its weights in a pickle, which can run any program"
                " and is not opened.",
                "Save it again with `save_pretrained(…, safe_serialization=True)`.",
            )
        raise NotFoundError(f"Folder `{folder}` has no {WEIGHTS_FILE}.")
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InvalidDataError(f"`{path}` is not a readable safetensors file.") from error


def _linear_sites(base_folder: Path) -> tuple[LinearSite, ...]:
    """List the linear layers of the base model without reading a weight."""
    try:
        config = AutoConfig.from_pretrained(
            base_folder, local_files_only=True, trust_remote_code=False
        )
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError) as error:
        raise InvalidDataError(f"Base model {base_folder.name!r} cannot be loaded.") from error
    return inject_adapters(model).sites


def _spec(
    config: Mapping[str, object],
    tensors: Mapping[str, Tensor],
    sites: Collection[LinearSite],
    name: str,
) -> AdapterSpec:
    """Work out the shape of the adapter, and see that ours can be on the same layers."""
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or not 1 <= rank <= _MAX_RANK:
        raise InvalidDataError(f"Adapter {name!r} has rank {rank!r}, not one of 1 to {_MAX_RANK}.")
    if not isinstance(alpha, int | float) or not 0 < alpha <= _MAX_ALPHA:
        raise InvalidDataError(
            f"Adapter {name!r} has alpha {alpha!r}, not above 0 and at most {_MAX_ALPHA}."
        )
    by_name = {site.name: site for site in sites}
    found = {_site_name(tensor) for tensor in tensors}
    unknown = sorted(found - by_name.keys())
    if unknown:
        raise InvalidDataError(
            f"Adapter {name!r} is on `{unknown[0]}`, which is no linear layer of this base model.",
            "Look at which base model it was trained on; embeddings and the head are left alone.",
        )
    if not found:
        raise InvalidDataError(f"Adapter {name!r} has no weights in it.")
    used = [by_name[site] for site in found]
    parts = {site.name.rpartition(".")[2] for site in used}
    everything = {site.name.rpartition(".")[2] for site in sites}
    first_layer = min(layer_number(site) for site in used)
    targets = () if parts == everything else tuple(sorted(parts))
    spec = AdapterSpec(rank, float(alpha), 0, targets, first_layer)
    layout = AdapterLayout.of(tuple(sites), spec)
    missing = {layout.sites[index].name for index in layout.trained_sites} - found
    if missing:
        raise InvalidDataError(
            f"Adapter {name!r} is not on `{min(missing)}`: here an adapter is on the same linear"
            " layers from some decoder layer to the last.",
        )
    return spec


def _site_name(tensor: str) -> str:
    for end in (".lora_A.weight", ".lora_B.weight"):
        if tensor.startswith(_PREFIX) and tensor.endswith(end):
            return tensor.removeprefix(_PREFIX).removesuffix(end)
    return tensor


def _check_shapes(tensors: Mapping[str, Tensor], views: Mapping[str, Tensor], name: str) -> None:
    missing = sorted(views.keys() - tensors.keys())
    if missing:
        raise InvalidDataError(f"Adapter {name!r} has no `{missing[0]}`.")
    for key, view in views.items():
        if tensors[key].shape != view.shape:
            shapes = [" x ".join(map(str, shape)) for shape in (tensors[key].shape, view.shape)]
            raise InvalidDataError(
                f"Adapter {name!r} has a `{key}` of {shapes[0]} where this base model takes"
                f" {shapes[1]}.",
                "Look at which base model it was trained on.",
            )
        if not bool(torch.isfinite(tensors[key]).all()):
            raise InvalidDataError(f"Adapter {name!r} has numbers in `{key}` that are not finite.")
