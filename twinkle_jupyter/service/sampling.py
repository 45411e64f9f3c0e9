"""Answers from an adapter's newest weights, also while it trains, or from the base model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from twinkle_jupyter.errors import ConflictError, NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runtime.handles import (
    SampleDelta,
    SampleRequest,
    SamplerHandle,
    SamplingSettings,
)
from twinkle_jupyter.service.adapters import get_adapter_run, list_adapter_runs
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.client_models import find_client_adapter, look_up
from twinkle_jupyter.service.held_checkpoints import find_checkpoint
from twinkle_jupyter.service.parts import ServedModel, ServiceParts
from twinkle_jupyter.service.quotas import Admission
from twinkle_jupyter.service.runs import BASE, find_run
from twinkle_jupyter.service.weights_by_path import find_weights_of_path
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.native import SampleBody

#: A run that was queued behind a base model that still loads.
FIRST_WEIGHTS_S = 60.0
_LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class OpenSample:
    """A request that can be answered, and who answers it."""

    sampler: SamplerHandle
    request: SampleRequest
    admission: Admission

    async def deltas(self) -> AsyncGenerator[SampleDelta]:
        """Stream the answer; closing this cancels it within one token."""
        answer, num_tokens = self.sampler.sample(self.request), 0
        try:
            async for delta in answer:
                num_tokens += len(delta.tokens)
                yield delta
        finally:
            if isinstance(answer, AsyncGenerator):
                await answer.aclose()
            await self.admission.finish(num_tokens)


@dataclass(frozen=True, slots=True)
class SampleSource:
    """A model, and which weights of which adapter answer."""

    compute: ServedModel
    #: Who asks.
    user: str
    adapter_id: AdapterId | None = None
    version: AdapterVersion | None = None
    #: Folder to load from where the sampler does not hold the adapter; empty for none.
    checkpoint: str = ""

    def request(self, prompt: tuple[int, ...], settings: SamplingSettings) -> SampleRequest:
        """Return what the sampler is asked, up to where the template ends an answer."""
        stops = self.compute.template.stop_token_ids
        return SampleRequest(
            prompt,
            settings,
            stops,
            self.adapter_id,
            self.version,
            self.checkpoint,
            user=self.user,
        )


async def find_source(parts: ServiceParts, asker: Asker, model: str) -> SampleSource:
    """Return the newest weights of an adapter, those of `adapter@step` or a path, or the base's.

    Raises:
        NotFoundError: There is no such adapter.
        ConflictError: It has no weights yet.
        ServiceUnavailableError: The base model is not loaded yet.
        InvalidDataError: The path is none.
    """
    owner = asker.owner
    if "://" in model:
        return await read_path(parts, asker, model)
    if model == BASE:
        return SampleSource(await parts.compute(parts.config.base_model), owner)
    if (row := await find_client_adapter(parts, owner, model)) is not None:
        return await _find_client_weights(parts, row)
    name, at, step = model.partition("@")
    run = await _find_adapter(parts, owner, name)
    compute = await parts.compute(str(run.config["base_model"]))
    if at:
        version, checkpoint = _weights_of_step(parts, run, step)
    else:
        version, checkpoint = await _newest_weights(parts, compute, run)
    return SampleSource(compute, owner, run.adapter_id, version, checkpoint)


async def read_path(parts: ServiceParts, asker: Asker, path: str) -> SampleSource:
    """Return the weights of a path; raises as `find_weights_of_path`, and where no model is."""
    found = await find_weights_of_path(parts, asker, path)
    compute = await parts.compute(found.base_model)
    folder = str(found.folder)
    return SampleSource(compute, asker.owner, found.adapter_id, found.version, folder)


async def open_sample(parts: ServiceParts, asker: Asker, body: SampleBody) -> OpenSample:
    """Find the weights and tokenise the conversation.

    Raises:
        InvalidDataError: The template refuses the conversation, or it is too long.
        QuotaExceededError: The user has as much as they may.
        TwinkleError: What `find_source` raises.
    """
    source = await find_source(parts, asker, body.model)
    messages = [{"role": m.role, "content": m.content} for m in body.messages]
    prompt = await asyncio.to_thread(source.compute.template.encode_prompt, messages)
    settings = SamplingSettings(
        max_tokens=body.max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        min_p=body.min_p,
        repetition_penalty=body.repetition_penalty,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        seed=body.seed,
    )
    admission = await parts.quotas.admit_prompts(asker.owner, [prompt])
    return OpenSample(source.compute.sampler, source.request(prompt, settings), admission)


async def _find_client_weights(parts: ServiceParts, row: ClientAdapterRow) -> SampleSource:
    """Return the weights that its trainer has now, or else the newest on disk."""
    compute, adapter_id = await parts.compute(row.base_model), AdapterId(row.adapter_id)
    if not row.is_put_away:  # while it waits to become other weights, it is what it was
        try:
            version = await compute.sampler.hold_newest(compute.trainer, adapter_id)
            return SampleSource(compute, row.owner, adapter_id, version)
        except NotFoundError:
            pass  # not in the trainer now
    model = await look_up(parts, row)
    if model.folder is None:
        raise ConflictError(
            f"Adapter {row.adapter_id!r} has no weights yet.", "Its client has not trained it."
        )
    # Weights in a folder never change: the folder is their name.
    folder = str(model.folder)
    return SampleSource(compute, row.owner, AdapterId(folder), checkpoint=folder)


async def _find_adapter(parts: ServiceParts, owner: str, name: str) -> RunRow:
    run = await get_adapter_run(parts.store, owner, name)
    if run is None and name.startswith("run_"):
        run = await find_run(parts.store, owner, name)
    if run is None:
        known = ", ".join(r.adapter for r in await list_adapter_runs(parts.store, owner))
        hint = f"There are: {known}, {BASE}." if known else f"There is only `{BASE}` so far."
        raise NotFoundError(f"There is no adapter {name!r}.", hint)
    return run


def _weights_of_step(parts: ServiceParts, run: RunRow, step: str) -> tuple[AdapterVersion, str]:
    """Return version and folder of a step's checkpoint.

    Raises:
        NotFoundError: There is none of that step.
    """
    if not step.isdecimal():
        raise NotFoundError(
            f"{run.adapter}@{step} names no step.", f"Such as {run.adapter}@40, a checkpoint's."
        )
    return AdapterVersion(int(step)), str(find_checkpoint(parts, run, int(step)))


async def _newest_weights(
    parts: ServiceParts, compute: ServedModel, run: RunRow
) -> tuple[AdapterVersion, str]:
    """Return version and checkpoint folder; the folder is empty when the sampler holds it.

    A run that has just been started has weights in a moment: that is waited for.
    """
    deadline = time.monotonic() + FIRST_WEIGHTS_S
    while True:
        if not run.is_over:
            try:
                return await compute.sampler.hold_newest(compute.trainer, run.adapter_id), ""
            except NotFoundError:
                pass  # not in the trainer now: its newest checkpoint is what there is
        if run.checkpoint:
            folder = parts.config.checkpoint_folder(run.run_id, run.checkpoint)
            return AdapterVersion(int(run.checkpoint.rpartition("-")[2])), str(folder)
        if run.is_over or run.wanted != "running" or time.monotonic() > deadline:
            raise ConflictError(
                f"Adapter {run.adapter!r} has no weights yet: its run is {run.state}.",
                f"Watch it with `%twinkle show {run.adapter}`.",
            )
        log = RunRow.log(run.run_id)
        await parts.store.wait(log, await parts.store.last_position(log), _LOOK_AGAIN_S)
        run = await find_run(parts.store, run.owner, run.run_id)
