"""What many answers at once cost: continuous batching against `transformers.generate` with PEFT.

As many streams as different adapters of rank 8, greedy, from prompts of their own. Generate takes
them one after another, switching PEFT's adapters; batched, it can have one adapter only. All sides
write the same number of tokens, from the prompt to the last of them, in the same number type.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.generate_side import Generate
from benchmarks.number_type import add_dtype_option, decide
from benchmarks.report import Bar, Row, Samples, build_parser, finish, interleave
from benchmarks.two_sides import ALPHA, RANK, find_model
from twinkle_jupyter.engine.allocator import keep_freed_memory
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.detokenizer import load_tokenizer
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest, SamplingSettings
from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
from twinkle_jupyter.sampler.torch_sampler import TorchSampler
from twinkle_jupyter.scheduling.request import AdapterSpec

_MANY = 16
_PROMPT_TOKENS = 32
#: Sixteen streams against one, one stream against generate, first token against a forward pass.
_SCALING = Bar(8.0, "at least", "ratio")
_ONE_STREAM = Bar(1.3, "at least", "ratio")
_FIRST_TOKEN = Bar(1.2, "at most", "ratio")


class Ours:
    """Our sampler with sixteen adapters; every call has prompts that were never read before."""

    def __init__(self, folder: Path, dtype: str, num_tokens: int) -> None:
        base = load_base_model(folder, dtype)
        self._vocabulary = base.num_input_tokens
        self._num_tokens = num_tokens
        self._sampler = TorchSampler(base, load_tokenizer(folder), SnapshotCache())
        self._random = np.random.default_rng(0)
        self._adapters = [AdapterId(f"adapter-{number}") for number in range(_MANY)]
        spec = AdapterSpec(RANK, ALPHA)
        size = self._sampler.count_parameters(spec)
        for adapter in self._adapters:
            weights = self._random.normal(size=size, scale=1e-3).astype(np.float32)
            snapshot = AdapterSnapshot(adapter, AdapterVersion(1), spec, weights)
            self._sampler.put_snapshot(snapshot)

    def prompt(self, num_tokens: int = _PROMPT_TOKENS) -> tuple[int, ...]:
        """Return random tokens."""
        return tuple(self._random.integers(10, self._vocabulary, size=num_tokens).tolist())

    def write(self, num_streams: int) -> None:
        """Write the answers of so many streams at once."""
        for number in range(num_streams):
            self.open(number, self._num_tokens)
        while self._sampler.num_open:
            self.advance()

    def open(self, number: int, num_tokens: int, prompt_tokens: int = _PROMPT_TOKENS) -> None:
        settings = SamplingSettings(max_tokens=num_tokens)
        adapter = self._adapters[number % _MANY]
        request = SampleRequest(self.prompt(prompt_tokens), settings, frozenset(), adapter)
        self._sampler.open_answer(number, request)

    def advance(self) -> set[int]:
        """Run a pass; return who has a new token."""
        told = self._sampler.advance().told
        for _, thing in told:
            if isinstance(thing, TwinkleError):
                raise thing
        return {number for number, _ in told}

    def first_token(self, num_beside: int, prompt_tokens: int) -> float:
        """Return the seconds to the first token while so many others are being written."""
        for number in range(num_beside):
            self.open(number, 1000)
        while num_beside and len(self.advance()) < num_beside:
            pass
        started = time.perf_counter()
        self.open(_MANY, 1, prompt_tokens)
        while _MANY not in self.advance():
            pass
        seconds = time.perf_counter() - started
        for number in range(num_beside):
            self._sampler.close_answer(number)
        return seconds


def _rate_row(name: str, samples: Samples, side: str, tokens: int) -> Row:
    rates = [tokens / seconds for seconds in samples.seconds[side]]
    return Row.of_samples(name, rates, "tokens/s", None)


def _against(
    name: str, samples: Samples, sides: tuple[str, str], work: float, bar: Bar | None
) -> Row:
    """Return a row of how much faster the first side is, each at its own amount of tokens."""
    ours, peer = sides
    ratios = [work * ratio for ratio in samples.ratios(peer, ours)]
    middle = sorted(ratios)[len(ratios) // 2]
    return Row(
        name,
        1e3 * samples.median(ours),
        "ms",
        (1e3 * samples.spread(ours)[0], 1e3 * samples.spread(ours)[1]),
        1e3 * samples.median(peer),
        middle,
        (min(ratios), max(ratios)),
        bar,
    )


def _stream_rows(samples: Samples, counts: Sequence[int], num_tokens: int) -> list[Row]:
    rows = [
        _rate_row(f"{count} streams", samples, f"ours {count}", count * num_tokens)
        for count in counts
    ]
    rows += [
        _rate_row(f"generate, batch of {count}", samples, f"batched {count}", count * num_tokens)
        for count in counts
    ]
    rows += [
        _rate_row("generate, one after another", samples, "generate 4", 4 * num_tokens),
        _against("1 stream / generate", samples, ("ours 1", "generate 1"), 1, _ONE_STREAM),
        _against("16 adapters / 1 stream", samples, (f"ours {_MANY}", "ours 1"), _MANY, _SCALING),
        _against(
            "16 adapters / one after another",
            samples,
            (f"ours {_MANY}", "generate 4"),
            _MANY / 4,
            None,
        ),
        _against(
            "16 adapters / batched generate of one",
            samples,
            (f"ours {_MANY}", f"batched {_MANY}"),
            1,
            None,
        ),
    ]
    return rows


def main() -> int:
    parser = build_parser(__doc__, model=True)
    add_dtype_option(parser)
    parser.add_argument("--tokens", type=int, help="of each answer")
    parser.add_argument(
        "--vllm-env", type=Path, help="a virtual environment with vLLM: it answers, too"
    )
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    num_tokens = options.tokens or (8 if options.quick else 48)
    rounds = options.rounds or (2 if options.quick else 5)
    folder = find_model(options.model)
    choice = decide(options, folder)
    ours = Ours(folder, choice.dtype, num_tokens)
    generate = Generate(folder, choice.dtype, _MANY, num_tokens, ours.prompt)
    counts = (1, _MANY) if options.quick else (1, 4, 8, _MANY)
    sides: dict[str, Callable[[], object]] = {}
    for count in counts:
        sides[f"ours {count}"] = partial(ours.write, count)
        sides[f"batched {count}"] = partial(generate.write_batched, count)
    # One after another takes as much longer as there are more of them.
    sides["generate 1"] = partial(generate.write, 1)
    sides["generate 4"] = partial(generate.write, 4)
    samples = interleave(sides, rounds)
    firsts = interleave(
        {
            "alone": partial(ours.first_token, 0, 128),
            "beside": partial(ours.first_token, _MANY - 1, 128),
            "forward": partial(generate.read, 128),
        },
        2 * rounds,
    )
    rows = _stream_rows(samples, counts, num_tokens)
    if options.vllm_env is not None:
        rows += _vllm_rows(options.vllm_env, folder, choice.dtype, counts, num_tokens, rounds)
    for side in ("alone", "beside"):
        rows.append(_first_token_row(f"first token of 128, {side}", firsts, side))
    named = [replace(row, name=f"{row.name}, {choice.dtype}") for row in rows]
    return finish(named, options, {"number type": str(choice)})


def _vllm_rows(
    environment: Path, folder: Path, dtype: str, counts: Sequence[int], num_tokens: int, rounds: int
) -> list[Row]:
    """In a process of its own, after ours, with as many threads: both fit into no environment."""
    root = Path(__file__).parents[1]
    command = [str(environment / "bin" / "python"), "-m", "benchmarks.vllm_side", str(folder)]
    command += ["--counts", *map(str, counts), "--tokens", str(num_tokens), "--dtype", dtype]
    command += ["--rounds", str(rounds), "--threads", str(torch.get_num_threads())]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )
    seconds: dict[str, list[float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return [
        Row.of_samples(
            f"vLLM, {count} streams",
            [int(count) * num_tokens / one for one in taken],
            "tokens/s",
            None,
        )
        for count, taken in seconds.items()
    ]


def _first_token_row(name: str, samples: Samples, side: str) -> Row:
    ratios = samples.ratios(side, "forward")
    low, high = samples.spread(side)
    return Row(
        name,
        1e3 * samples.median(side),
        "ms",
        (1e3 * low, 1e3 * high),
        1e3 * samples.median("forward"),
        sorted(ratios)[len(ratios) // 2],
        (min(ratios), max(ratios)),
        _FIRST_TOKEN,
    )


if __name__ == "__main__":
    sys.exit(main())
