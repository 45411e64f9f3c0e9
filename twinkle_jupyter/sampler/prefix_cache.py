"""Keys and values of beginnings that were read before, by adapter version and tokens.

Tokens are kept in blocks; a block is found by the one before it and its own tokens, so that prompts
which begin alike share what they have in common. What was not used for longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from torch import Tensor

from twinkle_jupyter.sampler.kv_slabs import CacheRow

#: Tokens of a block.
BLOCK_TOKENS = 16

_Key = tuple[Hashable, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    number: int
    #: (layers, 2, BLOCK_TOKENS, width)
    data: Tensor


class PrefixCache:
    """Blocks of all adapter versions.

    Args:
        max_bytes: Of all blocks.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._blocks: OrderedDict[_Key, _Block] = OrderedDict()
        self._numbers = count()
        self.size_bytes = 0

    def count_known(self, owner: Hashable, tokens: Sequence[int]) -> int:
        """Return how many of the first tokens were read before; never all of them."""
        return BLOCK_TOKENS * sum(1 for _ in self._find(owner, tokens[:-1]))

    def fill(self, row: CacheRow, owner: Hashable, tokens: Sequence[int]) -> None:
        """Put what is known of these tokens at the beginning of an empty row, grown for it."""
        found = list(self._find(owner, tokens[:-1]))
        data = row.data if found else None
        for key, block in found:
            assert data is not None, "there is a block"  # noqa: S101
            data[:, :, row.length : row.length + BLOCK_TOKENS].copy_(block.data)
            row.length += BLOCK_TOKENS
            self._blocks.move_to_end(key)
        # The beginning of a chain is used whenever its end is: it must not go first.
        for key, _ in reversed(found):
            self._blocks.move_to_end(key)

    def put(self, row: CacheRow, owner: Hashable, tokens: Sequence[int]) -> None:
        """Keep every whole block of what the row has read, which is `tokens`."""
        parent: Hashable = owner
        keys = []
        for start in range(0, min(len(tokens), row.length) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
            key = (parent, tuple(tokens[start : start + BLOCK_TOKENS]))
            block = self._blocks.get(key)
            if block is None:
                data = row.data[:, :, start : start + BLOCK_TOKENS].clone()
                block = self._blocks[key] = _Block(next(self._numbers), data)
                self.size_bytes += data.nbytes
            keys.append(key)
            parent = block.number
        for key in reversed(keys):
            self._blocks.move_to_end(key)
        while self.size_bytes > self._max_bytes:
            _, dropped = self._blocks.popitem(last=False)
            self.size_bytes -= dropped.data.nbytes

    def _find(self, owner: Hashable, tokens: Sequence[int]) -> Iterator[tuple[_Key, _Block]]:
        parent: Hashable = owner
        for start in range(0, len(tokens) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
            key = (parent, tuple(tokens[start : start + BLOCK_TOKENS]))
            block = self._blocks.get(key)
            if block is None:
                return
            yield key, block
            parent = block.number
