"""The base model's tensors with an adapter added, W + scale x B A, read one at a time.

Each is computed in fp32 and rounded once to the base model's own type. What the adapter is not on,
embeddings and the head among it, comes as the files have it, so that what is tied stays tied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from twinkle_jupyter.engine.base_model import fingerprint_base_model, list_weight_files
from twinkle_jupyter.engine.checkpoint import WEIGHTS_FILE, read_spec
from twinkle_jupyter.engine.lora_linear import Factors
from twinkle_jupyter.errors import InvalidDataError

#: Bytes of a number, by the names of safetensors.
_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class WeightEntry:
    """One tensor of the base model, before it is read."""

    #: As in the files: `model.layers.0.self_attn.q_proj.weight`.
    name: str
    #: As in safetensors: `F32`, `BF16`, …
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of its numbers."""
        return _ITEM_BYTES[self.dtype] * torch.Size(self.shape).numel()


class MergedWeights:
    """Reads a base model with one adapter added to it. Use as a context manager.

    Args:
        base_folder: Of safetensors.
        checkpoint: An adapter that was trained on it, as `engine.checkpoint` writes it.

    Raises:
        NotFoundError: One of the two is not there.
        InvalidDataError: The checkpoint is broken, or belongs to another base model.
    """

    def __init__(self, base_folder: Path, checkpoint: Path) -> None:
        spec, self.step = read_spec(checkpoint, fingerprint_base_model(base_folder))
        self._scale = spec.scale
        self._factors = _read_factors(checkpoint)
        self._files = ExitStack()
        self._file_of: dict[str, safe_open] = {}
        entries = []
        try:
            for path in list_weight_files(base_folder):
                file = self._files.enter_context(safe_open(path, framework="pt"))
                for name in file.keys():  # noqa: SIM118 - it is no dict
                    part = file.get_slice(name)
                    entries.append(
                        WeightEntry(name, str(part.get_dtype()), tuple(part.get_shape()))
                    )
                    self._file_of[name] = file
            self.entries = tuple(entries)
            self._check_fit()
        except SafetensorError as error:
            self._files.close()
            raise InvalidDataError(f"Base model {base_folder.name!r} cannot be read.") from error
        except InvalidDataError:
            self._files.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._files.close()

    @property
    def size_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(entry.size_bytes for entry in self.entries)

    def read(self, name: str) -> Tensor:
        """Return one tensor in the base model's type, the adapter added where it is on it."""
        weight: Tensor = self._file_of[name].get_tensor(name)  # type: ignore[no-untyped-call]
        pair = self._factors.get(name)
        if pair is None:
            return weight
        merged = weight.to(torch.promote_types(weight.dtype, torch.float32), copy=True)
        merged.addmm_(pair.up.to(merged.dtype), pair.down.to(merged.dtype), alpha=self._scale)
        return merged.to(weight.dtype)

    def __iter__(self) -> Iterator[tuple[WeightEntry, Tensor]]:
        """Read all of them in the order of the files."""
        for entry in self.entries:
            yield entry, self.read(entry.name)

    def _check_fit(self) -> None:
        by_name = {entry.name: entry for entry in self.entries}
        for entry in self.entries:
            if entry.dtype not in _ITEM_BYTES:
                raise InvalidDataError(
                    f"The base model's `{entry.name}` is {entry.dtype}, to which nothing can be"
                    " added.",
                    "Export the adapter alone with `--as peft`.",
                )
        for name, pair in self._factors.items():
            shape = (pair.up.shape[0], pair.down.shape[1])
            if name not in by_name or by_name[name].shape != shape:
                raise InvalidDataError(
                    f"The base model's files have no `{name}` of {shape[0]} x {shape[1]} that the"
                    " adapter could be added to.",
                    "Export the adapter alone with `--as peft`.",
                )


def _read_factors(checkpoint: Path) -> dict[str, Factors]:
    """Return the matrices of an adapter by the name of the base tensor that they belong to."""
    tensors = load_file(checkpoint / WEIGHTS_FILE)
    factors = {}
    for name, down in tensors.items():
        if not name.endswith(".lora_A.weight"):
            continue
        site = name.removeprefix(_PREFIX).removesuffix(".lora_A.weight")
        factors[f"{site}.weight"] = Factors(down, tensors[f"{_PREFIX}{site}.lora_B.weight"])
    return factors
