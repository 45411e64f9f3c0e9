"""The same streams answered by vLLM; run by a Python that has it, for `sampling.py --vllm-env`.

Prints seconds by number of streams, a list each, as JSON on the last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from twinkle_jupyter.config.trainer_settings import Dtype, SamplerSettings
from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.folder_sites import find_sites
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.runtime.vllm_loop import VllmLoop
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest, SamplingSettings
from twinkle_jupyter.scheduling.request import AdapterSpec

RANK, ALPHA = 8, 16.0
PROMPT_TOKENS = 32


async def _measure(options: argparse.Namespace, scratch: Path) -> dict[int, list[float]]:
    folder: Path = options.folder
    dtype: Dtype = options.dtype
    counts: list[int] = options.counts
    num_tokens: int = options.tokens
    found = find_sites(folder)
    random = np.random.default_rng(0)
    spec = AdapterSpec(RANK, ALPHA)
    size = AdapterLayout.of(found.sites, spec).num_parameters
    loop = VllmLoop(
        folder,
        base_model_name=folder.name,
        num_threads=options.threads,
        settings=SamplerSettings(dtype=dtype, scratch=str(scratch)),
    )
    await loop.start()
    for number in range(max(counts)):
        weights = random.normal(size=size, scale=1e-3).astype(np.float32)
        snapshot = AdapterSnapshot(AdapterId(str(number)), AdapterVersion(1), spec, weights)
        await loop.put_snapshot(snapshot)

    async def write(number: int) -> None:
        prompt = tuple(random.integers(10, found.num_input_tokens, size=PROMPT_TOKENS).tolist())
        settings = SamplingSettings(max_tokens=num_tokens)
        request = SampleRequest(prompt, settings, frozenset(), AdapterId(str(number)))
        async for _ in loop.sample(request):
            pass

    seconds: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(options.rounds + 1):
        for count in counts:
            started = time.perf_counter()
            await asyncio.gather(*(write(stream) for stream in range(count)))
            if number:  # the first round loads adapters
                seconds[count].append(time.perf_counter() - started)
    await loop.close()
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        seconds = asyncio.run(_measure(options, Path(scratch) / "adapters"))
    print(f"\n{json.dumps(seconds)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
