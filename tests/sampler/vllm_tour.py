"""Run by a Python that has vLLM: answers of `VllmLoop`, as JSON on the last line.

Arguments: the base model's folder, a checkpoint, a safetensors file with a snapshot's weights, and
a folder for adapters.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from safetensors.numpy import load_file

from tests.sampler.vllm_cases import ADAPTER, SNAPSHOT, SPEC, cases
from twinkle_jupyter.config.trainer_settings import SamplerSettings
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError
from twinkle_jupyter.ids import AdapterVersion
from twinkle_jupyter.runtime.vllm_loop import VllmLoop
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleDelta, SampleRequest


async def _read(loop: VllmLoop, request: SampleRequest) -> list[SampleDelta]:
    return [delta async for delta in loop.sample(request)]


async def _tour(folder: Path, checkpoint: str, weights: Path, scratch: Path) -> dict[str, object]:
    loop = VllmLoop(
        folder,
        base_model_name="smollm2",
        num_threads=2,
        settings=SamplerSettings(scratch=str(scratch)),
    )
    await loop.start()
    told: dict[str, object] = {}
    requests = cases(checkpoint)
    try:
        await _read(loop, replace(requests["base"], adapter_id=SNAPSHOT))
    except NotFoundError as error:
        told["unknown"] = error.message
    try:
        await _read(loop, replace(requests["base"], scores_prompt=True))
    except InvalidConfigError as error:
        told["scores"] = error.message
    snapshot = load_file(weights)["weights"]
    await loop.put_snapshot(AdapterSnapshot(SNAPSHOT, AdapterVersion(7), SPEC, snapshot))
    answers = await asyncio.gather(*(_read(loop, request) for request in requests.values()))
    for name, deltas in zip(requests, answers, strict=True):
        told[name] = {
            "tokens": [token for delta in deltas for token in delta.tokens],
            "logprobs": [logprob for delta in deltas for logprob in delta.logprobs],
            "text": "".join(delta.text for delta in deltas),
            "versions": sorted({delta.version or 0 for delta in deltas}),
            "finish": deltas[-1].finish_reason,
            "top": [[list(pair) for pair in delta.top[0]] for delta in deltas if delta.top],
        }
    # Who leaves, and who is told to, ends the answer.
    long = replace(requests["base"], settings=replace(requests["base"].settings, max_tokens=400))
    async with aclosing(loop.sample(long)) as one:
        await anext(one)
    stream = loop.sample(long, "key")
    await anext(stream)
    loop.cancel("key")
    rest = [delta async for delta in stream]
    told["cancelled"] = [len(rest) < 399, rest[-1].finish_reason if rest else "cancelled"]
    told["adapters"] = (await loop.status()).num_adapters
    await loop.remove_adapter(ADAPTER)
    await loop.remove_adapter(SNAPSHOT)
    await loop.close()
    return told


if __name__ == "__main__":
    folder, checkpoint, weights, scratch = sys.argv[1:]
    told = asyncio.run(_tour(Path(folder), checkpoint, Path(weights), Path(scratch)))
    told["left"] = Path(scratch).exists()
    sys.stdout.write(f"\n{json.dumps(told)}\n")
