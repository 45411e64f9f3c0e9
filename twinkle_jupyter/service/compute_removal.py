"""An adapter that is deleted, out of the memory of trainer and sampler too."""

from __future__ import annotations

from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runs.base_model_wishes import read_base_model
from twinkle_jupyter.service.parts import ServiceParts


async def remove_from_compute(parts: ServiceParts, base_model: str, adapter_id: str) -> None:
    """Have trainer and sampler forget an adapter, where their base model is loaded at all.

    May be repeated.

    Raises:
        ServiceUnavailableError: They cannot be reached now: it is to be done again.
    """
    known = await read_base_model(parts.store, base_model)
    if known is None or known.phase != "ready":
        return  # nothing is loaded, so nothing holds the weights; asking would have it loaded
    compute = await parts.compute(base_model)
    await compute.trainer.remove_adapter(AdapterId(adapter_id))
    await compute.sampler.remove_adapter(AdapterId(adapter_id))
