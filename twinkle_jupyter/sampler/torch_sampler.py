"""Answers from `transformers` models, one token at a time.

Every open answer has its own KV cache, adapter version and random generator, so that answers may
take turns token by token. Not thread safe: one thread owns a sampler.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import DynamicCache

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.base_model import BaseModel
from twinkle_jupyter.engine.checkpoint import load_weights
from twinkle_jupyter.engine.injection import inject_adapters
from twinkle_jupyter.engine.lora_linear import ActiveAdapters, SampledAdapter
from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterVersion
from twinkle_jupyter.sampler.detokenizer import Detokenizer
from twinkle_jupyter.sampler.interface import (
    AdapterSnapshot,
    FinishReason,
    PromptScores,
    SampleDelta,
    SampleRequest,
    TopTokens,
)
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter, SnapshotCache
from twinkle_jupyter.sampler.token_choice import check_sampling_settings, choose_token, find_top
from twinkle_jupyter.scheduling.request import AdapterSpec

#: Of one part of a prompt that is scored.
_LOGIT_BYTES = 64 * 2**20


class TorchSampler:
    """A base model of its own, and the adapter versions to answer with.

    Args:
        base: Used by this sampler alone from now on; its linear layers are wrapped.
        tokenizer: The base model's.
        snapshots: Where adapter versions are held.
    """

    def __init__(self, base: BaseModel, tokenizer: Tokenizer, snapshots: SnapshotCache) -> None:
        self._base = base
        self._tokenizer = tokenizer
        self.snapshots = snapshots
        injection = inject_adapters(base.model)
        self._router = injection.router
        self._sites = injection.sites
        # transformers renames it on the way from 5.16 to 5.40.
        arguments = inspect.signature(base.model.forward).parameters
        self._cache_argument = "cache" if "cache" in arguments else "past_key_values"

    @property
    def size_bytes(self) -> int:
        """Bytes of the base model and all adapter versions."""
        return self._base.size_bytes + self.snapshots.size_bytes

    def count_parameters(self, spec: AdapterSpec) -> int:
        """Return the length of a snapshot of this shape, P."""
        return AdapterLayout.of(self._sites, spec).num_parameters

    def put_snapshot(self, snapshot: AdapterSnapshot) -> None:
        """Hold a copy of these weights; they are the adapter's default from now on."""
        # A tensor of its own: what comes through shared memory may be read-only.
        held = self._hold(snapshot.spec, snapshot.version, torch.tensor(snapshot.weights))
        self.snapshots.put(snapshot.adapter_id, held)

    def open_answer(self, request: SampleRequest) -> Answer:
        """Check the request and find its adapter; nothing is computed yet.

        Raises:
            InvalidConfigError: The settings allow no token.
            InvalidDataError: The prompt is empty, too long or has unknown ids.
            NotFoundError: The adapter version is neither held nor in the request's checkpoint.
        """
        check_sampling_settings(request.settings)
        self._check_prompt(request.prompt)
        return Answer(self, request, self._find_adapter(request), Detokenizer(self._tokenizer))

    def compute_logits(
        self, tokens: list[int], cache: DynamicCache, adapter: ActiveAdapters | None
    ) -> Tensor:
        """Return (V,) logits after `tokens`, which are added to the cache; at least fp32."""
        return self._compute_logits(tokens, [len(tokens) - 1], cache, adapter)[0]

    def _compute_logits(
        self,
        tokens: list[int],
        places: Sequence[int],
        cache: DynamicCache,
        adapter: ActiveAdapters | None,
    ) -> Tensor:
        """Return (N, V) logits at these places of the tokens, which are added to the cache."""
        selected = torch.tensor(list(places), device=self._base.device)
        with (
            torch.inference_mode(),
            self._router.activate(adapter),
            self._base.head_positions.select(selected),
        ):
            output = self._base.model(
                input_ids=torch.tensor([tokens], device=self._base.device),
                use_cache=True,
                **{self._cache_argument: cache},
            )
        logits: Tensor = output.logits[0]
        return logits.to("cpu", self._base.master_dtype)

    def score_prompt(
        self,
        tokens: list[int],
        cache: DynamicCache,
        adapter: ActiveAdapters | None,
        num_top: int,
    ) -> PromptScores:
        """Score each token after the first; all but the last are added to the cache.

        In parts: the logits of a long prompt are larger than the base model.
        """
        size = max(1, _LOGIT_BYTES // (4 * self._base.num_output_tokens))
        logprobs: list[float] = []
        top: list[TopTokens] = []
        for start in range(0, len(tokens) - 1, size):
            part = tokens[start : min(start + size, len(tokens) - 1)]
            logits = self._compute_logits(part, range(len(part)), cache, adapter)
            scores = torch.log_softmax(logits, dim=-1)
            following = torch.tensor(tokens[start + 1 : start + 1 + len(part)])
            logprobs += scores.gather(1, following[:, None])[:, 0].tolist()
            top += find_top(scores, num_top)
        return PromptScores(tuple(logprobs), tuple(top))

    def create_cache(self) -> DynamicCache:
        """Make an empty KV cache of the base model's shape."""
        return DynamicCache(config=self._base.model.config)

    def activate(self, held: HeldAdapter | None) -> ActiveAdapters | None:
        """Prepare an adapter version for a batch of one row."""
        if held is None:
            return None
        return SampledAdapter(held.factors, held.scale)

    def count_free_positions(self, num_prompt_tokens: int) -> int | None:
        """Return how many tokens may follow a prompt; None where there is no limit."""
        limit = self._base.max_positions
        return None if limit is None else limit - num_prompt_tokens

    def _find_adapter(self, request: SampleRequest) -> HeldAdapter | None:
        if request.adapter_id is None:
            return None
        try:
            return self.snapshots.get(request.adapter_id, request.version)
        except NotFoundError:
            if not request.checkpoint:
                raise
        held = self._load(Path(request.checkpoint))
        if request.version is not None and held.version != request.version:
            raise NotFoundError(
                f"Checkpoint {Path(request.checkpoint).name!r} of adapter {request.adapter_id!r}"
                f" is version {held.version}, not {request.version}."
            )
        self.snapshots.put(request.adapter_id, held)
        return held

    def _load(self, folder: Path) -> HeldAdapter:
        spec, step, weights = load_weights(
            folder, lambda spec: AdapterLayout.of(self._sites, spec), self._base.fingerprint
        )
        return self._hold(spec, AdapterVersion(step), weights)

    def _hold(self, spec: AdapterSpec, version: AdapterVersion, weights: Tensor) -> HeldAdapter:
        layout = AdapterLayout.of(self._sites, spec)
        if weights.shape != (layout.num_parameters,):
            raise InvalidDataError(
                f"A snapshot of rank {spec.rank} has {layout.num_parameters} numbers on this base"
                f" model, not {tuple(weights.shape)}."
            )
        weights = weights.to(self._base.device, self._base.dtype)
        size_bytes = weights.numel() * weights.element_size()
        return HeldAdapter(version, spec.scale, layout.split_by_site(weights), size_bytes)

    def _check_prompt(self, prompt: tuple[int, ...]) -> None:
        if not prompt:
            raise InvalidDataError("The prompt has no tokens.")
        limit = self._base.max_positions
        if limit is not None and len(prompt) >= limit:
            raise InvalidDataError(
                f"The prompt has {len(prompt)} tokens; the base model reads {limit}, the answer"
                " included."
            )
        unknown = [token for token in prompt if not 0 <= token < self._base.num_input_tokens]
        if unknown:
            raise InvalidDataError(
                f"The prompt has token id {unknown[0]}, which the base model does not have."
            )


class Answer:
    """One request under way; dropping it frees its cache."""

    def __init__(
        self,
        sampler: TorchSampler,
        request: SampleRequest,
        adapter: HeldAdapter | None,
        detokenizer: Detokenizer,
    ) -> None:
        self._sampler = sampler
        self._request = request
        self._adapter = sampler.activate(adapter)
        self._version = adapter.version if adapter is not None else None
        self._detokenizer = detokenizer
        self._cache = sampler.create_cache()
        self._generator = torch.Generator().manual_seed(request.settings.seed)
        #: Tokens that the cache does not hold yet: the prompt, then the last one chosen.
        self._unread = list(request.prompt)
        self._num_tokens = 0
        free = sampler.count_free_positions(len(request.prompt))
        wanted = request.settings.max_tokens
        self._max_tokens = wanted if free is None else min(wanted, free)

    def advance(self) -> SampleDelta:
        """Compute one token; the delta with a finish reason is the last.

        The token that ends the answer is among the delta's tokens, but not in its text.
        """
        scores = self._score_prompt()
        logits = self._sampler.compute_logits(self._unread, self._cache, self._adapter)
        token, logprob = choose_token(logits, self._request.settings, self._generator)
        top = find_top(torch.log_softmax(logits, dim=-1)[None], self._request.num_top)
        self._unread = [token]
        self._num_tokens += 1
        is_stop = token in self._request.stop_tokens
        finish_reason: FinishReason | None = None
        if is_stop:
            finish_reason = "stop"
        elif self._num_tokens >= self._max_tokens:
            finish_reason = "length"
        text = "" if is_stop else self._detokenizer.append(token)
        return SampleDelta(
            text, (token,), (logprob,), self._version, finish_reason, tuple(top), scores
        )

    def _score_prompt(self) -> PromptScores | None:
        """Score the prompt before the first token, if it is to be."""
        request = self._request
        if self._num_tokens or not (request.scores_prompt or request.num_top_prompt):
            return None
        scores = self._sampler.score_prompt(
            self._unread, self._cache, self._adapter, request.num_top_prompt
        )
        self._unread = self._unread[-1:]
        return scores
