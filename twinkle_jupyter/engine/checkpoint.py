"""An adapter as a folder: PEFT's files, and beside them what training needs to go on.

adapter_config.json        as `peft.PeftModel.from_pretrained` reads it
adapter_model.safetensors  weights under PEFT's names
optimizer.safetensors      AdamW's moments, and a gradient that no step has used yet; not beside
                           weights that were saved alone
trainer_state.json         step, spec and base model
manifest.json              written last, by `store.artifacts`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterState
from twinkle_jupyter.engine.adapter_layout import AdapterLayout, layer_number
from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.scheduling.request import AdapterSpec
from twinkle_jupyter.store.artifacts import commit_folder, read_manifest

_FORMAT = 2
CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_OPTIMIZER_FILE = "optimizer.safetensors"
_STATE_FILE = "trainer_state.json"


class _TrainerState(TypedDict):
    format: int
    step: int
    rank: int
    alpha: float
    seed: int
    targets: list[str]
    first_layer: int
    base_model: str
    base_model_fingerprint: str


def save_checkpoint(
    folder: Path,
    state: AdapterState,
    layout: AdapterLayout,
    base_model_name: str,
    base_model_fingerprint: str,
    more: Mapping[str, str] | None = None,
) -> int:
    """Write the adapter into `folder`, whole or not at all; return the bytes written.

    A checkpoint that is there already is replaced: a run that goes on from an earlier step after a
    crash comes by the same folder again.

    Args:
        folder: Where it is to be.
        state: Must not change meanwhile.
        layout: Of its flat tensors.
        base_model_name: As people know it.
        base_model_fingerprint: Of the weights that it was trained on.
        more: Text files that belong to it, by name.
    """
    trainer_state = _TrainerState(
        format=_FORMAT,
        step=state.step,
        rank=state.spec.rank,
        alpha=state.spec.alpha,
        seed=state.spec.seed,
        targets=list(state.spec.targets),
        first_layer=state.spec.first_layer,
        base_model=base_model_name,
        base_model_fingerprint=base_model_fingerprint,
    )
    moments = {"exp_avg": state.exp_avg, "exp_avg_sq": state.exp_avg_sq}
    if state.gradient is not None:
        moments["gradient"] = state.gradient

    def write(target: Path) -> None:
        write_peft_files(target, state.spec, layout, state.parameters, base_model_name)
        if state.has_optimizer:
            save_file(moments, target / _OPTIMIZER_FILE)
        _write_json(target / _STATE_FILE, dict(trainer_state))
        for name, text in (more or {}).items():
            (target / name).write_text(text, encoding="utf-8")

    return commit_folder(folder, write, replace=True).size_bytes


def write_peft_files(
    folder: Path, spec: AdapterSpec, layout: AdapterLayout, parameters: Tensor, base_model_name: str
) -> None:
    """Write what PEFT reads, (P,) parameters in the layout's order, into a folder that is there."""
    weights = {
        name: tensor.detach().contiguous()
        for name, tensor in layout.name_tensors(layout.split(parameters)).items()
    }
    _write_json(folder / CONFIG_FILE, _peft_config(spec, layout, base_model_name))
    save_file(weights, folder / WEIGHTS_FILE, metadata={"format": "pt"})


def load_checkpoint(
    folder: Path,
    layout_of: Callable[[AdapterSpec], AdapterLayout],
    base_model_fingerprint: str,
) -> AdapterState:
    """Read what `save_checkpoint` wrote.

    Raises:
        NotFoundError: There is no complete checkpoint in `folder`.
        InvalidDataError: Its files were changed, it belongs to another base model, or it has the
            weights alone.
    """
    spec, step = read_spec(folder, base_model_fingerprint)
    layout = layout_of(spec)
    if not (folder / _OPTIMIZER_FILE).is_file():
        raise InvalidDataError(f"Checkpoint {folder.name!r} has no optimizer to train on with.")
    moments = _read_tensors(folder / _OPTIMIZER_FILE)
    sizes = {name: tuple(tensor.shape) for name, tensor in moments.items()}
    if not {"exp_avg", "exp_avg_sq"} <= sizes.keys() or set(sizes.values()) != {
        (layout.num_parameters,)
    }:
        raise InvalidDataError(f"Checkpoint {folder.name!r} does not fit the base model.")
    return AdapterState(
        spec=spec,
        parameters=_read_weights(folder, layout),
        exp_avg=moments["exp_avg"],
        exp_avg_sq=moments["exp_avg_sq"],
        gradient=moments.get("gradient"),
        step=step,
    )


def load_weights(
    folder: Path,
    layout_of: Callable[[AdapterSpec], AdapterLayout],
    base_model_fingerprint: str,
) -> tuple[AdapterSpec, int, Tensor]:
    """Read spec, step and (P,) weights alone, to sample from; raises as `load_checkpoint`."""
    spec, step = read_spec(folder, base_model_fingerprint)
    return spec, step, _read_weights(folder, layout_of(spec))


def read_spec(folder: Path, base_model_fingerprint: str) -> tuple[AdapterSpec, int]:
    """Check the whole checkpoint against its manifest; return its spec and step."""
    read_manifest(folder, verify=True)
    try:
        state = cast(
            "_TrainerState", json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
        )
        if state["format"] != _FORMAT:
            raise InvalidDataError(
                f"Checkpoint {folder.name!r} was written by another version of twinkle-jupyter."
            )
        spec = AdapterSpec(
            state["rank"],
            state["alpha"],
            state["seed"],
            tuple(state["targets"]),
            state["first_layer"],
        )
        step, saved_with = state["step"], state["base_model_fingerprint"]
        base_model = state["base_model"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(f"Checkpoint {folder.name!r} has no {_STATE_FILE}.") from error
    if saved_with != base_model_fingerprint:
        raise InvalidDataError(
            f"Checkpoint {folder.name!r} was trained on other weights of base model"
            f" {base_model!r}, or on another one."
        )
    return spec, step


def _read_weights(folder: Path, layout: AdapterLayout) -> Tensor:
    tensors = _read_tensors(folder / WEIGHTS_FILE)
    dtype = next(iter(tensors.values())).dtype if tensors else torch.float32
    flat = torch.empty(layout.num_parameters, dtype=dtype)
    expected = layout.name_tensors(layout.split(flat))
    if {name: tensor.shape for name, tensor in tensors.items()} != {
        name: view.shape for name, view in expected.items()
    }:
        raise InvalidDataError(f"Checkpoint {folder.name!r} does not fit the base model.")
    for name, view in expected.items():
        view.copy_(tensors[name])
    return flat


def _read_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise InvalidDataError(
            f"Checkpoint {file.parent.name!r} has an unreadable {file.name}."
        ) from error


def _peft_config(
    spec: AdapterSpec, layout: AdapterLayout, base_model_name: str
) -> dict[str, object]:
    alpha = spec.alpha
    trained = [layout.sites[index] for index in layout.trained_sites]
    names = {site.name.rpartition(".")[2] for site in trained}
    numbers = sorted({layer_number(site) for site in trained})
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model_name,
        "r": spec.rank,
        "lora_alpha": int(alpha) if float(alpha).is_integer() else alpha,
        "target_modules": sorted(names),
        "layers_to_transform": numbers if layout.first_layer else None,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "use_rslora": False,
        "use_dora": False,
        "modules_to_save": None,
        "inference_mode": True,
    }


def _write_json(file: Path, content: dict[str, object]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
