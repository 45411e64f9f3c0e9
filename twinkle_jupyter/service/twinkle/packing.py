"""Which rows come into one, by first fit: each goes to the first that has room for it.

Johnson et al., *Worst-case performance bounds for simple one-dimensional packing algorithms*, SIAM
Journal on Computing 3(4), 1974. A tree of the greatest space left finds the first one in as many
steps as the number of bins has binary digits.
"""

from __future__ import annotations

from collections.abc import Sequence


def first_fit(sizes: Sequence[int], limit: int) -> list[int]:
    """Return the number of the bin that each size comes into, from 0 on.

    Args:
        sizes: In the order in which they are placed; one beyond `limit` has a bin of its own.
        limit: Of what one bin takes.
    """
    num_leaves = 1
    while num_leaves < len(sizes):
        num_leaves *= 2
    # A heap: children of `node` are `2 * node` and `2 * node + 1`; bins are the last level.
    space = [limit] * (2 * num_leaves)
    return [_place(space, num_leaves, min(size, limit)) for size in sizes]


def _place(space: list[int], num_leaves: int, size: int) -> int:
    node = 1
    while node < num_leaves:
        node *= 2
        node += space[node] < size
    number = node - num_leaves
    space[node] -= size
    while node > 1:
        node //= 2
        space[node] = max(space[2 * node], space[2 * node + 1])
    return number
