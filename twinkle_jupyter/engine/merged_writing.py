"""A merged model as a folder that `transformers` and vLLM load: streamed, in shards where large."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from twinkle_jupyter.engine.merged_weights import MergedWeights, WeightEntry

#: Bytes of a file at most, unless one tensor alone has more.
SHARD_BYTES = 5_000_000_000
_SINGLE = "model.safetensors"
#: Of the base model's folder, what is not weights.
_COPIED = ("*.json", "*.jinja", "*.txt", "*.model")
_NOT_COPIED = frozenset({f"{_SINGLE}.index.json", "twinkle-model.json"})


def write_merged(
    weights: MergedWeights,
    base_folder: Path,
    folder: Path,
    on_progress: Callable[[float], None],
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write weights, config, tokenizer and template into `folder`, which exists.

    Args:
        weights: Read once, in order.
        base_folder: Whose other files are copied.
        folder: Where to.
        on_progress: Called with the share that is done, 0 to 1.
        shard_bytes: Of one file at most.
    """
    for pattern in _COPIED:
        for path in base_folder.glob(pattern):
            if path.name not in _NOT_COPIED:
                shutil.copyfile(path, folder / path.name)
    shards = _plan(weights.entries, shard_bytes)
    total = weights.size_bytes
    done = 0
    weight_map: dict[str, str] = {}
    for number, entries in enumerate(shards, start=1):
        name = _SINGLE
        if len(shards) > 1:
            name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        weight_map |= {entry.name: name for entry in entries}
        with (folder / name).open("wb") as file:
            file.write(_header(entries))
            for entry in entries:
                # As bytes: numpy has no bfloat16.
                file.write(weights.read(entry.name).reshape(-1).view(torch.uint8).numpy().data)
                done += entry.size_bytes
                on_progress(done / total)
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        text = json.dumps(index, indent=2, sort_keys=True) + "\n"
        (folder / f"{_SINGLE}.index.json").write_text(text, encoding="utf-8")


def _plan(entries: Sequence[WeightEntry], shard_bytes: int) -> list[list[WeightEntry]]:
    shards: list[list[WeightEntry]] = [[]]
    size = 0
    for entry in entries:
        if shards[-1] and size + entry.size_bytes > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(entry)
        size += entry.size_bytes
    return shards


def _header(entries: Sequence[WeightEntry]) -> bytes:
    """Return a safetensors file's beginning: a length, then what lies where."""
    header: dict[str, dict[str, str | list[int]]] = {"__metadata__": {"format": "pt"}}
    end = 0
    for entry in entries:
        start, end = end, end + entry.size_bytes
        header[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
