"""How an op can fail while it is computed, in words."""

from __future__ import annotations

import torch

from twinkle_jupyter.errors import OutOfMemoryError, RunFailedError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import ForwardBackward


def describe_not_finite(op: ForwardBackward) -> RunFailedError:
    """Say that loss or gradient left the numbers."""
    return RunFailedError(
        f"The loss or gradient of adapter {op.adapter_id!r} is not a finite number;"
        " its gradient was left as it was before.",
        "A lower learning rate usually helps.",
    )


def describe_out_of_memory(op: ForwardBackward) -> OutOfMemoryError:
    """Say that the op does not fit, even alone and one row at a time."""
    longest = max(example.num_tokens for example in op.examples)
    return OutOfMemoryError(
        f"A row of {longest} tokens did not fit into memory, even by itself.",
        "Shorter rows (max_length) take less.",
    )


def describe_no_room(adapter_id: AdapterId) -> OutOfMemoryError:
    """Say that the adapter cannot be brought into a slot."""
    return OutOfMemoryError(
        f"There is no memory to bring adapter {adapter_id!r} into a slot.",
        "Fewer slots (TWINKLE_TRAINER__MAX_ACTIVE_ADAPTERS) or a smaller rank take less.",
    )


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether torch or Python found no memory; torch on the CPU has no class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "can't allocate memory" in str(error)
    )
