"""A base model made ready to train adapters: from a micro-batch to log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from twinkle_jupyter.engine.adapter_bank import AdapterSlot
from twinkle_jupyter.engine.adapter_layout import group_sites
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.batch_adapters import BatchAdapters
from twinkle_jupyter.engine.compute_dtype import choose_compute_dtype
from twinkle_jupyter.engine.fused_decoder import (
    PROBE_TOLERANCES,
    fuse_decoder,
    open_probe,
    pack_arguments,
)
from twinkle_jupyter.engine.injection import LinearSite, inject_adapters
from twinkle_jupyter.engine.micro_batch import MicroBatch
from twinkle_jupyter.engine.row_attention import RowAttention
from twinkle_jupyter.engine.supervised_head import SupervisedHead
from twinkle_jupyter.engine.training_batch import TrainingBatch


class TrainingModel:
    """Wraps the linear layers of `base`, and takes over its decoder and head where it can.

    Args:
        base: Trains here alone from now on.
    """

    def __init__(self, base: BaseModel) -> None:
        self._base = base
        injection = inject_adapters(base.model)
        self.sites: tuple[LinearSite, ...] = injection.sites
        self._router = injection.router
        groups = group_sites(injection.sites)
        compute_dtype = choose_compute_dtype(base.dtype, base.device)
        taken = fuse_decoder(base.model, injection.router, groups, compute_dtype)
        #: Rows are packed; else they are padded to the longest.
        self.is_packed = bool(taken)
        self._head = self._read_head() if self.is_packed else None
        self._base_groups = injection.number_the_rest(groups if self.is_packed else (), taken)

    def compute_logprobs(
        self,
        batch: MicroBatch,
        owners: Sequence[tuple[AdapterSlot, int]],
        *,
        checkpoints: bool,
    ) -> Tensor:
        """Return (N,) log-probabilities of the batch's targets.

        Differentiable, if gradients are on: a backward pass adds to the slots' gradients.

        Args:
            batch: Rows of one adapter are neighbours.
            owners: The adapters in the batch's order, each with its number of positions, padding
                included.
            checkpoints: Compute activations twice instead of keeping them.
        """
        active = TrainingBatch(
            BatchAdapters(owners, self._base_groups),
            RowAttention(batch.row_places, self._base.device),
            first_layer=min(slot.spec.first_layer for slot, _ in owners),
            checkpoints=checkpoints,
        )
        with self._router.activate(active):
            if self._head is not None:
                arguments = pack_arguments(batch.tokens, batch.token_positions)
                output = self._base.model.base_model(**arguments, use_cache=False)
                supervised = output.last_hidden_state[0].index_select(0, batch.positions)
                return self._head.compute_logprobs(supervised, batch.targets)
            logits = self._run_own(batch).to(self._base.master_dtype)  # (N, V)
        return -F.cross_entropy(logits, batch.targets, reduction="none")

    def _run_own(self, batch: MicroBatch) -> Tensor:
        """Run the model with its own head; return (N, V)."""
        arguments = {"input_ids": batch.tokens}
        if self.is_packed:
            arguments = pack_arguments(batch.tokens, batch.token_positions)
        with self._base.head_positions.select(batch.positions):
            output = self._base.model(**arguments, use_cache=False)
        logits: Tensor = output.logits[0]
        return logits

    def _read_head(self) -> SupervisedHead | None:
        """Return our head if it says what the architecture's own does."""
        model = self._base.model
        head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        soft_cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        supervised = SupervisedHead(head.weight, head.bias, soft_cap)
        arguments, batch = open_probe(model)
        with torch.no_grad(), self._router.activate(batch):
            states = model.base_model(**arguments, use_cache=False).last_hidden_state[0]
            expected = model(**arguments, use_cache=False).logits[0]
        difference = (supervised.compute_logits(states) - expected).abs().max()
        return (
            supervised
            if difference <= PROBE_TOLERANCES[model.dtype] * expected.abs().max()
            else None
        )
