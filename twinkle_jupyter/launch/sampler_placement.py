"""Whether a sampler gets a copy of the base model of its own, or shares its trainer's."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from twinkle_jupyter.config.trainer_settings import SamplerPlacement
from twinkle_jupyter.engine.memory import ModelDimensions

_ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float64": 8}
#: Of a GPU's memory, for the weights of all copies: adapters, activations, keys and values need the
#: rest.
_FOR_WEIGHTS = 0.6
#: What a process has of a GPU before it has anything of ours on it.
_CONTEXT_BYTES = 500_000_000
_ASK_S = 10.0


def choose_placement(
    wish: SamplerPlacement | None, free_gpus: float, gpu_bytes: int | None, base_bytes: int | None
) -> SamplerPlacement:
    """Return what was wished for; else with its trainer where two copies have no room.

    Args:
        wish: None where nobody says.
        free_gpus: GPUs that trainer and sampler can have. Each has one to itself where there are
            two; without any, both map the same file, and two processes share the cores best.
        gpu_bytes: Memory of the smallest GPU; None where it is not known.
        base_bytes: Of the base model's weights; None where they are not known.
    """
    if wish is not None:
        return wish
    if free_gpus <= 0 or free_gpus >= 2 or gpu_bytes is None or base_bytes is None:
        return "apart"
    room = _FOR_WEIGHTS * (gpu_bytes - 2 * _CONTEXT_BYTES)
    return "apart" if 2 * base_bytes <= room else "with_trainer"


def count_base_bytes(folder: Path, dtype: str) -> int | None:
    """Return the bytes of a base model's weights in a number type; None where it does not say."""
    model = ModelDimensions.read(folder)
    return None if model is None else model.num_weights * _ITEM_BYTES[dtype]


async def read_gpu_bytes() -> int | None:
    """Return the memory of the smallest GPU of this machine; None where nobody tells."""
    command = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_ASK_S):
            said, _ = await child.communicate()
        return min(int(line) for line in said.decode().split()) * 2**20
    except (TimeoutError, ValueError):
        return None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
