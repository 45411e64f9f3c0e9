"""Answers from `transformers` models: many at once, each with its own adapter version.

Not thread safe: one thread owns a sampler.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from twinkle_jupyter.engine.adapter_layout import AdapterLayout, group_sites
from twinkle_jupyter.engine.allocator import give_back_freed_memory
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.checkpoint import load_weights
from twinkle_jupyter.engine.fused_decoder import FusedLayer, fuse_decoder
from twinkle_jupyter.engine.injection import inject_adapters
from twinkle_jupyter.engine.linear_kernel import choose_kernel
from twinkle_jupyter.errors import InvalidDataError, NotFoundError, QuotaExceededError
from twinkle_jupyter.ids import AdapterVersion
from twinkle_jupyter.sampler.answer import Answer
from twinkle_jupyter.sampler.answer_batch import AnswerBatch, Pass
from twinkle_jupyter.sampler.batched_decoder import BatchedDecoder, read_kv_shape
from twinkle_jupyter.sampler.detokenizer import Detokenizer
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest
from twinkle_jupyter.sampler.kv_slabs import CacheRow
from twinkle_jupyter.sampler.request_checks import check_request
from twinkle_jupyter.sampler.single_decoder import OwnRow, SingleDecoder
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter, SnapshotCache
from twinkle_jupyter.scheduling.request import AdapterSpec

#: Of keys and values, where nobody says otherwise.
DEFAULT_CACHE_BYTES = 2**30
_MAX_ROWS = 64


class TorchSampler:
    """A base model of its own, the adapter versions to answer with, and the answers under way.

    Args:
        base: Used by this sampler alone from now on; its layers are taken over.
        tokenizer: The base model's.
        snapshots: Where adapter versions are held.
        cache_bytes: For keys and values of answers; more answers wait.
        max_rows: Answers that are written at a time; more wait.
    """

    def __init__(
        self,
        base: BaseModel,
        tokenizer: Tokenizer,
        snapshots: SnapshotCache,
        *,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        max_rows: int = _MAX_ROWS,
    ) -> None:
        self._base = base
        self._tokenizer = tokenizer
        self.snapshots = snapshots
        injection = inject_adapters(base.model)
        self._sites = injection.sites
        groups = group_sites(injection.sites)
        kernel = choose_kernel(base.dtype, base.device)
        taken = fuse_decoder(base.model, injection.router, groups, base.dtype, kernel)
        self.decoder: BatchedDecoder | SingleDecoder
        self._batch: AnswerBatch[CacheRow] | AnswerBatch[OwnRow]
        if taken and read_kv_shape(base) is not None:
            groups = injection.number_the_rest(groups, taken)
            base.multiply_head_by(kernel)
            if not base.is_mapped and not base.is_shared:
                _pack(base)
            self.decoder = BatchedDecoder(base, injection, groups, cache_bytes)
            self._batch = AnswerBatch(self.decoder, base.num_output_tokens, max_rows)
        else:
            self.decoder = SingleDecoder(base, injection, cache_bytes)
            self._batch = AnswerBatch(self.decoder, base.num_output_tokens, max_rows)

    @property
    def size_bytes(self) -> int:
        """Bytes of the base model, all adapter versions, and all keys and values."""
        return self._base.size_bytes + self.snapshots.size_bytes + self.decoder.size_bytes

    @property
    def num_open(self) -> int:
        """Answers that are not over."""
        return len(self._batch)

    def count_parameters(self, spec: AdapterSpec) -> int:
        """Return the length of a snapshot of this shape, P."""
        return AdapterLayout.of(self._sites, spec).num_parameters

    def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        """Hold a copy of these weights; they are the adapter's default from now on."""
        # A tensor of its own: what comes through shared memory may be read-only.
        weights = torch.tensor(
            snapshot.weights, dtype=self.decoder.adapter_dtype, device=self._base.device
        )
        held = self._hold(snapshot.spec, snapshot.version, weights)
        self.snapshots.put(snapshot.adapter_id, held)

    def open_answer(self, number: int, request: SampleRequest) -> None:
        """Check the request and find its adapter version, which is the newest as of now.

        Nothing is computed yet.

        Args:
            number: Tells the answer from all others.
            request: What to answer.

        Raises:
            InvalidConfigError: The settings allow no token.
            InvalidDataError: The prompt is empty, too long or has unknown ids.
            NotFoundError: The adapter version is neither held nor in the request's checkpoint.
            QuotaExceededError: The prompt needs more memory than there is for all.
        """
        max_tokens = check_request(request, self._base.num_input_tokens, self._base.max_positions)
        room = self.decoder.max_length
        if len(request.prompt) >= room:
            raise QuotaExceededError(
                f"The prompt has {len(request.prompt)} tokens; the sampler has memory for {room},"
                " the answer included."
            )
        max_tokens = min(max_tokens, room - len(request.prompt))
        adapter = self._find_adapter(request)
        detokenizer = Detokenizer(self._tokenizer)
        self._batch.add(Answer(number, request, adapter, detokenizer, max_tokens))

    def advance(self, held_back: Collection[int] = ()) -> Pass:
        """Compute the next token of every answer there is room for; the finished ones leave.

        The token that ends an answer is among its delta's tokens, but not in its text.

        Args:
            held_back: Numbers of answers that do not go on for now.
        """
        with torch.inference_mode():
            return self._batch.advance(held_back)

    def close_answer(self, number: int) -> None:
        """End an answer and free what it holds; one that is over is no mistake."""
        with torch.inference_mode():
            self._batch.remove(number)

    def is_held(self, request: SampleRequest) -> bool:
        """Whether the version that is to answer is here; the base model always is."""
        try:
            self._find_held(request)
        except NotFoundError:
            return False
        return True

    def load_checkpoint(self, request: SampleRequest) -> HeldAdapter:
        """Read the weights in the request's checkpoint; from any thread, since nothing changes.

        Raises:
            NotFoundError: There is no complete checkpoint, or it is another version.
            InvalidDataError: Its files were changed, or it belongs to another base model.
        """
        folder = Path(request.checkpoint)
        spec, step, weights = load_weights(
            folder, lambda spec: AdapterLayout.of(self._sites, spec), self._base.fingerprint
        )
        if request.version is not None and step != request.version:
            raise NotFoundError(
                f"Checkpoint {folder.name!r} of adapter {request.adapter_id!r} is version {step},"
                f" not {request.version}."
            )
        return self._hold(spec, AdapterVersion(step), weights)

    def _find_adapter(self, request: SampleRequest) -> HeldAdapter | None:
        try:
            return self._find_held(request)
        except NotFoundError:
            if not request.checkpoint or request.adapter_id is None:
                raise
        held = self.load_checkpoint(request)
        self.snapshots.put(request.adapter_id, held)
        return held

    def _find_held(self, request: SampleRequest) -> HeldAdapter | None:
        if request.adapter_id is None:
            return None
        return self.snapshots.get(request.adapter_id, request.version)

    def _hold(self, spec: AdapterSpec, version: AdapterVersion, weights: Tensor) -> HeldAdapter:
        layout = AdapterLayout.of(self._sites, spec)
        if weights.shape != (layout.num_parameters,):
            raise InvalidDataError(
                f"A snapshot of rank {spec.rank} has {layout.num_parameters} numbers on this base"
                f" model, not {tuple(weights.shape)}."
            )
        weights = weights.to(self._base.device, self.decoder.adapter_dtype)
        return HeldAdapter(version, spec, weights)


def _pack(base: BaseModel) -> None:
    """Let weights that nobody else reads lie as they are read fastest; their size is the same."""
    for layer in base.model.modules():
        if isinstance(layer, FusedLayer):
            layer.pack()
    give_back_freed_memory()
