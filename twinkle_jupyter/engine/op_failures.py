"""How an op can fail while it is computed, in words."""

from __future__ import annotations

import torch

from twinkle_jupyter.errors import OutOfMemoryError, RunFailedError
from twinkle_jupyter.scheduling.request import ForwardBackward


def describe_not_finite(op: ForwardBackward) -> RunFailedError:
    """Say that loss or gradient left the numbers."""
    return RunFailedError(
        f"The loss or gradient of adapter {op.adapter_id!r} is not a finite number;"
        " its gradient was left as it was before.",
        "A lower learning rate usually helps.",
    )


def describe_out_of_memory(op: ForwardBackward) -> OutOfMemoryError:
    """Say that the op does not fit, even alone."""
    longest = max(example.num_tokens for example in op.examples)
    return OutOfMemoryError(
        f"{len(op.examples)} rows of up to {longest} tokens did not fit into memory.",
        "Fewer rows in a step (batch_size) or shorter ones (max_length) take less.",
    )


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether torch or Python found no memory; torch on the CPU has no class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "can't allocate memory" in str(error)
    )
