"""A frozen base model from a local folder of safetensors.

Weights stay memory-mapped where dtype and device allow it, so that a trainer and a sampler on one
machine share their pages. Nothing is ever fetched, and no code from the folder is run.
"""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from twinkle_jupyter.engine.head_positions import HeadPositions
from twinkle_jupyter.engine.linear_kernel import FrozenHead
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from transformers import PretrainedConfig, PreTrainedModel

    from twinkle_jupyter.engine.linear_kernel import LinearKernel

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float64": torch.float64,
}
_SINGLE_FILE = "model.safetensors"
_INDEX_FILE = "model.safetensors.index.json"
_FINGERPRINT_BLOCK_BYTES = 65_536
_FINGERPRINT_BLOCKS = 16
_FETCH_AGAIN = "Remove the folder and fetch the model again."
#: What transformers raises over a folder that it cannot read.
_READ_ERRORS = (
    OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError,
)  # fmt: skip


@dataclass(slots=True, eq=False)
class BaseModel:
    """Frozen weights, and what a step needs to know of them."""

    model: PreTrainedModel
    head_positions: HeadPositions
    #: Tells two base models apart: SHA-256 over configuration, file sizes and samples of weights.
    fingerprint: str
    num_input_tokens: int
    num_output_tokens: int
    #: Longest row, in tokens; None where the architecture has no limit.
    max_positions: int | None
    #: Whether its weights are pages of its file, which other processes share.
    is_mapped: bool
    #: Whether another `BaseModel` of this process has the same weights, and counts them.
    is_shared: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the weights."""
        return self.model.dtype

    @property
    def master_dtype(self) -> torch.dtype:
        """Type of adapter weights, gradients and log-probabilities: never below fp32."""
        return torch.promote_types(self.dtype, torch.float32)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @property
    def size_bytes(self) -> int:
        """Bytes of all weights of its own; a tied embedding counts once."""
        if self.is_shared:
            return 0
        return sum(p.numel() * p.element_size() for p in self.model.parameters())

    def share(self) -> BaseModel:
        """Return modules of their own over the same weights; to be called before they are changed.

        Somebody may then wrap and replace the modules, but never change or move a weight.
        """
        tensors = (*self.model.parameters(), *self.model.buffers())
        model, positions = copy.deepcopy(
            (self.model, self.head_positions), {id(tensor): tensor for tensor in tensors}
        )
        return replace(self, model=model, head_positions=positions, is_shared=True)

    def multiply_head_by(self, kernel: LinearKernel) -> None:
        """Let the output head multiply with `kernel` from now on, without gradients."""
        head = FrozenHead(cast("nn.Linear", self.model.get_output_embeddings()), kernel)  # type: ignore[no-untyped-call]
        self.model.set_output_embeddings(head)  # type: ignore[no-untyped-call]
        self.head_positions = HeadPositions(head)


def load_base_model(folder: Path, dtype: str = "float32", device: str = "cpu") -> BaseModel:
    """Load a causal language model from a Hugging Face folder, frozen and in evaluation mode.

    Args:
        folder: Has config.json and model.safetensors, or shards with their index.
        dtype: One of `DTYPES`; other than the files' own costs a copy of all weights.
        device: A torch device.

    Raises:
        NotFoundError: There is no such folder, or no model in it.
        InvalidDataError: What is there is incomplete or cannot be read.
        InvalidConfigError: `dtype` is not known.
    """
    if dtype not in DTYPES:
        raise InvalidConfigError(f"dtype={dtype!r} is not one of {', '.join(DTYPES)}.")
    files = _weight_files(folder)
    fingerprint = _compute_fingerprint(folder, files)
    model = _load_model(folder, DTYPES[dtype])
    module = cast("nn.Module", model)
    module.eval().requires_grad_(requires_grad=False).to(torch.device(device))
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if not isinstance(head, nn.Linear):
        raise InvalidDataError(f"Base model {folder.name!r} has no output head to train through.")
    embedding = cast("nn.Embedding", model.get_input_embeddings())
    return BaseModel(
        model=model,
        head_positions=HeadPositions(head),
        fingerprint=fingerprint,
        num_input_tokens=embedding.num_embeddings,
        num_output_tokens=head.out_features,
        max_positions=getattr(model.config.get_text_config(), "max_position_embeddings", None),
        is_mapped=model.device.type == "cpu" and _has_dtype(files[1], model.dtype),
    )


def fingerprint_base_model(folder: Path) -> str:
    """Return the fingerprint of the base model in `folder`; raises as `load_base_model`."""
    return _compute_fingerprint(folder, _weight_files(folder))


def list_weight_files(folder: Path) -> list[Path]:
    """Return its files of weights, every one of which exists; raises as `load_base_model`."""
    return _weight_files(folder)[1:]


def _weight_files(folder: Path) -> list[Path]:
    """Return config.json and all weight files; every one of them exists."""
    if not folder.is_dir():
        raise NotFoundError(f"Base model folder {folder.name!r} does not exist.")
    if not (folder / "config.json").is_file():
        raise NotFoundError(f"Folder {folder.name!r} holds no model: it has no config.json.")
    if (folder / _SINGLE_FILE).is_file():
        return [folder / "config.json", folder / _SINGLE_FILE]
    index = folder / _INDEX_FILE
    if not index.is_file():
        raise NotFoundError(
            f"Folder {folder.name!r} holds no weights in safetensors.",
            "Other formats are not loaded: convert the model, or choose another.",
        )
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidDataError(
            f"Base model {folder.name!r} has an unreadable {_INDEX_FILE}.", _FETCH_AGAIN
        ) from error
    missing = [name for name in names if not (folder / Path(name).name).is_file()]
    if missing:
        raise InvalidDataError(
            f"Base model {folder.name!r} is incomplete: {missing[0]} is missing.", _FETCH_AGAIN
        )
    return [folder / "config.json", *(folder / Path(name).name for name in names)]


def _compute_fingerprint(folder: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    try:
        for file in files:
            size = file.stat().st_size
            digest.update(f"{file.name}:{size};".encode())
            for block in _sample_blocks(file, size):
                digest.update(block)
    except OSError as error:
        raise InvalidDataError(f"Base model {folder.name!r} cannot be read.") from error
    return digest.hexdigest()


def _sample_blocks(file: Path, size: int) -> Iterator[bytes]:
    # Reading all of a large model would cost more than loading it, which is lazy.
    stride = max(_FINGERPRINT_BLOCK_BYTES, size // _FINGERPRINT_BLOCKS)
    with file.open("rb") as stream:
        for offset in range(0, size, stride):
            stream.seek(offset)
            yield stream.read(_FINGERPRINT_BLOCK_BYTES)


def _load_model(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        loaded = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            attn_implementation=_attention(config),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except _READ_ERRORS as error:
        raise InvalidDataError(
            f"Base model {folder.name!r} cannot be loaded: {_first_line(error)}", _FETCH_AGAIN
        ) from error
    model, report = cast("tuple[PreTrainedModel, Mapping[str, Collection[str]]]", loaded)
    # transformers would fill what is missing with random numbers and go on.
    missing = sorted(report["missing_keys"]) + sorted(str(k) for k in report["mismatched_keys"])
    if missing:
        raise InvalidDataError(
            f"Base model {folder.name!r} is incomplete: {missing[0]} is not in its files.",
            _FETCH_AGAIN,
        )
    return model


def _has_dtype(file: Path, dtype: torch.dtype) -> bool:
    with safe_open(file, framework="pt") as weights:
        name = next(iter(weights.keys()), None)
        return name is not None and weights.get_tensor(name).dtype == dtype


def _attention(config: PretrainedConfig) -> str:
    # torch's fused attention has no soft cap: it would leave Gemma 2's out without a word.
    capped = getattr(config.get_text_config(), "attn_logit_softcapping", None) is not None
    return "eager" if capped else "sdpa"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{lines[0].rstrip('.')}." if lines else f"{type(error).__name__}."
