"""How likely each token of a row is to an adapter and to its base model, by the sampler."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.runtime.handles import SampleRequest, SamplingSettings
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.runs import BASE
from twinkle_jupyter.service.sampling import SampleSource, find_source

#: Natural-log probability of each token; None for the first, and for what is cut.
Logprobs = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Of T tokens; empty where it was not asked for."""

    adapter: Logprobs = ()
    base: Logprobs = ()


@dataclass(frozen=True, slots=True)
class Scorer:
    """An adapter, or the base model alone, that scores rows."""

    source: SampleSource
    base_model: str

    async def score(
        self, parts: ServiceParts, token_ids: Sequence[int], limit: int | None
    ) -> TokenScores:
        """Score a row up to before `limit`, with the adapter and without.

        Raises:
            InvalidDataError: It is too long for the model.
            QuotaExceededError: The user has as much as they may.
        """
        prompt = tuple(token_ids[:limit])
        if not prompt:
            return TokenScores()
        request = replace(
            self.source.request(prompt, SamplingSettings(max_tokens=1)), scores_prompt=True
        )
        of_base = replace(request, adapter_id=None, version=None, checkpoint="")
        requests = [of_base] if self.source.adapter_id is None else [of_base, request]
        admission = await parts.quotas.admit_prompts(
            self.source.user, [one.prompt for one in requests]
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                asked = [tasks.create_task(self._ask(one, len(token_ids))) for one in requests]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await admission.finish()
        base, *adapter = (task.result() for task in asked)
        return TokenScores(adapter[0] if adapter else (), base)

    async def _ask(self, request: SampleRequest, size: int) -> Logprobs:
        scores: tuple[float, ...] = ()
        async with aclosing(self.source.compute.sampler.sample(request)) as deltas:
            async for delta in deltas:
                if delta.prompt_scores is not None:
                    scores = delta.prompt_scores.logprobs
                    break
        known: Logprobs = (None, *scores)
        return (*known, *(None,) * (size - len(known)))


async def find_scorer(parts: ServiceParts, asker: Asker, adapter: str, base_model: str) -> Scorer:
    """Find who scores.

    Args:
        parts: Of the service.
        asker: Who asks.
        adapter: Its name, perhaps with a step, or `base`.
        base_model: Whose template is asked for; empty for the adapter's own.

    Raises:
        InvalidConfigError: The adapter is another base model's.
        TwinkleError: What `find_source` raises.
    """
    source = await find_source(parts, asker, adapter)
    own = (await source.compute.sampler.status()).base_model
    if base_model not in {"", own}:
        raise InvalidConfigError(
            f"`base_model={base_model}` is not that of adapter {adapter!r}: {own}.",
            "Leave it out to take the adapter's.",
        )
    return Scorer(source, own)


def name_of(adapter: str) -> str:
    """Return what a view calls the adapter: nothing where it is the base model."""
    return "" if adapter == BASE else adapter
