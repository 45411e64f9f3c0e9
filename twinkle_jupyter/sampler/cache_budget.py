"""How much memory a sampler takes for keys and values, where nobody says."""

from __future__ import annotations

import torch

from twinkle_jupyter.engine.memory import machine_memory

_LEAST_BYTES = 2**28
#: Part of the machine's memory, which trainer, Jupyter and others want, too; at most so much.
_HOST_SHARE = 1 / 8
_MOST_HOST_BYTES = 2**33
#: Part of what the base model has left free of a GPU.
_DEVICE_SHARE = 0.5


def choose_cache_bytes(device: torch.device) -> int:
    """Return the bytes for keys and values beside a base model that is loaded."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return max(_LEAST_BYTES, int(_DEVICE_SHARE * free))
    return min(_MOST_HOST_BYTES, max(_LEAST_BYTES, int(_HOST_SHARE * machine_memory())))
