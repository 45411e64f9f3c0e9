"""The requests that both engines are asked."""

from __future__ import annotations

from dataclasses import replace

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.sampler.interface import SampleRequest, SamplingSettings
from twinkle_jupyter.scheduling.request import AdapterSpec

#: From a checkpoint, and from a snapshot.
ADAPTER, SNAPSHOT = AdapterId("adapter"), AdapterId("snapshot")
SPEC = AdapterSpec(rank=8, alpha=16.0)
#: "Who are you?" as SmolLM2's template has it.
PROMPT = (1, 4093, 198, 6747, 359, 346, 47, 2, 198, 1, 520, 9531, 198)


def cases(checkpoint: str) -> dict[str, SampleRequest]:
    """Return them by name."""
    base = SampleRequest(PROMPT, SamplingSettings(max_tokens=24), frozenset({2}))
    return {
        "base": base,
        "adapter": replace(base, adapter_id=ADAPTER, checkpoint=checkpoint),
        "snapshot": replace(base, adapter_id=SNAPSHOT, num_top=3),
        "penalised": replace(base, settings=replace(base.settings, repetition_penalty=1.3)),
        "cut": replace(base, settings=replace(base.settings, max_tokens=3)),
    }
