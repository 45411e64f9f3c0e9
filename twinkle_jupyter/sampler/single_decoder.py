"""One answer after the other through the model's own layers: for architectures that we do not know.

Answers still take turns pass by pass; what they do not share is the reading of the weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.injection import Injection
from twinkle_jupyter.engine.lora_linear import SampledAdapter
from twinkle_jupyter.sampler.decoder import Decoder, Logits, Reading
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter


@dataclass(slots=True, eq=False)
class OwnRow:
    """What one answer has read, as `transformers` keeps it."""

    cache: DynamicCache
    #: None is the base model.
    adapter: SampledAdapter | None
    length: int = 0
    #: Tokens that there is room for.
    reserved: int = 0


class SingleDecoder(Decoder[OwnRow]):
    """A base model with its own layers.

    Args:
        base: Its linear layers are wrapped.
        injection: How.
        max_bytes: Of keys and values.
    """

    def __init__(self, base: BaseModel, injection: Injection, max_bytes: int) -> None:
        self._base = base
        self._injection = injection
        self._max_tokens = max(1, max_bytes // _bytes_per_token(base))
        self._rows: set[OwnRow] = set()
        # transformers renames it on the way from 5.16 to 5.40.
        arguments = inspect.signature(base.model.forward).parameters
        self._cache_argument = "cache" if "cache" in arguments else "past_key_values"

    @property
    def adapter_dtype(self) -> torch.dtype:
        """Number type in which it reads the weights of a `HeldAdapter`, without a copy a row."""
        return self._base.dtype

    @property
    def size_bytes(self) -> int:
        """Bytes of keys and values; may be asked for from another thread."""
        return sum(row.length for row in list(self._rows)) * _bytes_per_token(self._base)

    @property
    def num_rows(self) -> int:
        """Rows that are open."""
        return len(self._rows)

    @property
    def max_length(self) -> int:
        """Tokens of the longest answer, its prompt included, that could be had by itself."""
        return self._max_tokens

    def open_row(
        self,
        adapter: HeldAdapter | None,
        prompt: Sequence[int],  # noqa: ARG002 - nothing is kept of other answers
    ) -> tuple[OwnRow, int]:
        """Begin to read a prompt from its first token."""
        row = OwnRow(DynamicCache(config=self._base.model.config), self._prepare(adapter))
        self._rows.add(row)
        return row, 0

    def grow(self, row: OwnRow, length: int) -> bool:
        """See that so many tokens fit into the row."""
        others = sum(other.reserved for other in self._rows if other is not row)
        if others + length > self._max_tokens:
            return False
        row.reserved = max(row.reserved, length)
        return True

    def read(self, readings: Sequence[Reading[OwnRow]]) -> list[Logits]:
        """Read on in rows that were grown for it."""
        return [Logits.of(self._read_one(reading)) for reading in readings]

    def remember(self, row: OwnRow, tokens: Sequence[int]) -> None:
        """Keep nothing."""

    def close_row(self, row: OwnRow) -> None:
        """Free the row."""
        self._rows.discard(row)

    def _read_one(self, reading: Reading[OwnRow]) -> Tensor:
        device = self._base.device
        with (
            self._injection.router.activate(reading.row.adapter),
            self._base.head_positions.select(torch.tensor(list(reading.places), device=device)),
        ):
            output = self._base.model(
                input_ids=torch.tensor([list(reading.tokens)], device=device),
                use_cache=True,
                **{self._cache_argument: reading.row.cache},
            )
        reading.row.length += len(reading.tokens)
        logits: Tensor = output.logits[0]
        return logits.to("cpu", self._base.master_dtype)

    def _prepare(self, held: HeldAdapter | None) -> SampledAdapter | None:
        if held is None:
            return None
        layout = AdapterLayout.of(self._injection.sites, held.spec)
        return SampledAdapter(layout.split_by_site(held.weights), held.spec.scale)


def _bytes_per_token(base: BaseModel) -> int:
    config = base.model.config.get_text_config()
    num_heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // num_heads
    num_kv_heads = getattr(config, "num_key_value_heads", None) or num_heads
    return int(2 * config.num_hidden_layers * num_kv_heads * head_dim * base.dtype.itemsize)
