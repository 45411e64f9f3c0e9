"""Takes over the decoder layers of the architectures that we know, without changing what they say.

A layer becomes two nodes of autograd with their backward written out: fewer operations, less kept,
and rows packed without padding. What a layer is made of is read from its parts, not from its name,
and the whole decoder must then say the same as before for a few tokens; where it does not, the
model keeps its own layers.
"""

from __future__ import annotations

import logging
from typing import Protocol, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn
from transformers import PreTrainedModel

from twinkle_jupyter.engine.batch_adapters import BatchAdapters
from twinkle_jupyter.engine.layer_halves import Angles, Halves
from twinkle_jupyter.engine.layer_reader import LayerReader, NotUnderstoodError
from twinkle_jupyter.engine.linear_kernel import LinearKernel
from twinkle_jupyter.engine.lora_linear import AdapterRouter, LoraLinear
from twinkle_jupyter.engine.row_attention import RowAttention
from twinkle_jupyter.engine.row_places import place_rows
from twinkle_jupyter.engine.training_batch import TrainingBatch

_LOGGER = logging.getLogger(__name__)

#: Lengths of the rows that the two decoders are compared with.
_PROBE_LENGTHS = (12, 5)
#: Largest difference of what is compared, as a part of its largest entry.
PROBE_TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-3, torch.bfloat16: 0.1}


class LayerRunner(Protocol):
    """What a pass through the model does at a layer that was taken over."""

    def run_layer(self, number: int, halves: Halves, x: Tensor, angles: Angles) -> Tensor:
        """Map (T, D) to (T, D)."""
        ...


class FusedLayer(nn.Module):
    """A decoder layer of an architecture that we know.

    Args:
        number: Its place in the decoder.
        original: Whose weights it uses.
        halves: Attention, then the MLP.
        router: Of the whole model.
        dtype: What to compute in.
    """

    def __init__(
        self,
        number: int,
        original: nn.Module,
        halves: Halves,
        router: AdapterRouter,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.number = number
        self.original = original
        self.halves = halves
        self.router = router
        self.dtype = dtype

    def pack(self) -> None:
        """Hold the linears' weights in the order that is fastest to read; forward only then.

        Neither `original` nor anybody else can use those weights any more.
        """
        wrapped = {
            linear.frozen.weight: linear
            for linear in self.original.modules()
            if isinstance(linear, LoraLinear)
        }
        for half in self.halves:
            for linear in half.linears:
                plain = linear.weight
                if (packed := linear.pack()) is not None:
                    wrapped[plain].frozen.weight = nn.Parameter(packed, requires_grad=False)

    def forward(
        self,
        hidden_states: Tensor,
        *_: object,
        position_embeddings: tuple[Tensor, Tensor],
        **__: object,
    ) -> Tensor:
        """Map (1, T, D) to (1, T, D) for the batch that is active in the router."""
        active = cast("LayerRunner", self.router.active)
        x = hidden_states[0].to(self.dtype)
        # The two halves of an angle table are the same.
        cos, sin = (
            table[0, :, None, : table.shape[-1] // 2].to(self.dtype)
            for table in position_embeddings
        )
        return active.run_layer(self.number, self.halves, x, (cos, sin))[None]


def fuse_decoder(
    model: PreTrainedModel,
    router: AdapterRouter,
    base_groups: tuple[tuple[int, ...], ...],
    dtype: torch.dtype,
    kernel: LinearKernel = F.linear,
) -> frozenset[int]:
    """Replace the decoder layers of `model`; return which linears it computes itself from now on.

    Args:
        model: Keeps its layers if one of them is not understood.
        router: Of its wrapped linears.
        base_groups: The wrapped linears that read the same input.
        dtype: What to compute in.
        kernel: What its linears multiply with, without gradients if it is not torch's own.
    """
    decoder = model.base_model
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, nn.ModuleList) or not hasattr(decoder, "rotary_emb"):
        return frozenset()
    reader = LayerReader(base_groups, dtype, kernel)
    try:
        fused = [
            FusedLayer(number, layer, reader.read(layer), router, dtype)
            for number, layer in enumerate(layers)
        ]
    except NotUnderstoodError as error:
        _LOGGER.info("%s keeps its own layers: %s", type(model).__name__, error)
        return frozenset()
    originals = list(layers)
    with torch.no_grad():
        expected = _run_own_layers(model)
        for number, layer in enumerate(fused):
            layers[number] = layer
        difference = _compare_decoders(model, router, expected)
    if difference <= PROBE_TOLERANCES[model.dtype]:
        return frozenset(reader.taken)
    for number, original in enumerate(originals):
        layers[number] = original
    _LOGGER.warning(
        "%s keeps its own layers: fused ones differ by %.2g", type(model).__name__, difference
    )
    return frozenset()


def open_probe(model: PreTrainedModel) -> tuple[dict[str, Tensor], TrainingBatch]:
    """Return two packed rows, the second the beginning of the first, without any adapter."""
    embedding = model.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding), "checked when it was loaded"  # noqa: S101
    generator = torch.Generator().manual_seed(0)
    row = torch.randint(embedding.num_embeddings, (1, _PROBE_LENGTHS[0]), generator=generator)
    tokens = torch.cat([row[:, :length] for length in _PROBE_LENGTHS], dim=1).to(model.device)
    rows = place_rows([(0,) * length for length in _PROBE_LENGTHS], owners=(0, 1), may_share=False)
    attention = RowAttention(rows, model.device)
    positions = torch.cat([torch.arange(length) for length in _PROBE_LENGTHS]).to(model.device)
    batch = TrainingBatch(BatchAdapters([], ()), attention, 0, checkpoints=False)
    return pack_arguments(tokens, positions[None]), batch


def pack_arguments(tokens: Tensor, positions: Tensor) -> dict[str, Tensor]:
    """Return what a model with fused layers takes for packed rows.

    Args:
        tokens: (1, T) token ids.
        positions: (1, T) the place of each in its row.
    """
    return {
        "input_ids": tokens,
        "position_ids": positions,
        # A mask of four dimensions is taken as it is: no layer looks at it, and none is made.
        "attention_mask": tokens.new_empty((1, 1, 1, 1)),
    }


def _run_own_layers(model: PreTrainedModel) -> Tensor:
    """Return (T, D), the last hidden states of the probe's rows."""
    arguments, _ = open_probe(model)
    row = arguments["input_ids"][:, : _PROBE_LENGTHS[0]]
    output = model.base_model(input_ids=row, use_cache=False)
    states: Tensor = output.last_hidden_state[0]
    return torch.cat([states[:length] for length in _PROBE_LENGTHS])


def _compare_decoders(model: PreTrainedModel, router: AdapterRouter, expected: Tensor) -> float:
    """Return the largest difference to `expected`, as a part of its largest entry."""
    arguments, batch = open_probe(model)
    with router.activate(batch):
        output = model.base_model(**arguments, use_cache=False)
    return float((output.last_hidden_state[0] - expected).abs().max() / expected.abs().max())
