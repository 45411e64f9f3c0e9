"""Rotary position embedding, in place; turning back is its backward.

Source: Su et al. 2021 (arXiv:2104.09864), with the halves layout of `transformers`.
"""

from __future__ import annotations

from torch import Tensor


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Turn the first dimensions of every head by its position's angles.

    Args:
        x: (T, H, E); overwritten.
        cos: (T, 1, F), of F angles; dimensions from 2 F on stay as they are.
        sin: As `cos`; negative turns back.
    """
    num_angles = cos.shape[-1]
    first, second = x[..., :num_angles], x[..., num_angles : 2 * num_angles]
    crossed = first * sin
    first.mul_(cos).addcmul_(second, sin, value=-1)
    second.mul_(cos).add_(crossed)
