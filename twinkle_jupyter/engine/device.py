"""Where a process of ours computes."""

from __future__ import annotations

import torch


def choose_device() -> str:
    """Return `cuda` where this process was given a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"
