"""Answers that join and leave a batch at every token, whatever becomes of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.sampler.conftest import make_snapshot, run, run_together, tokens_of
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.errors import InvalidDataError, QuotaExceededError, TwinkleError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.sampler.batched_decoder import BatchedDecoder
from twinkle_jupyter.sampler.detokenizer import load_tokenizer
from twinkle_jupyter.sampler.interface import SampleDelta, SampleRequest, SamplingSettings
from twinkle_jupyter.sampler.kv_slabs import SLAB_TOKENS
from twinkle_jupyter.sampler.snapshot_cache import SnapshotCache
from twinkle_jupyter.sampler.torch_sampler import TorchSampler

A, B = AdapterId("a"), AdapterId("b")
PROMPT = tuple(range(40, 76))


def _open(tiny_model: Path, *, num_slabs: float = 64, max_rows: int = 64) -> TorchSampler:
    """In float64, where company changes nothing that could turn a token."""
    base = load_base_model(tiny_model, "float64")
    tokenizer = load_tokenizer(tiny_model)
    roomy = TorchSampler(base, tokenizer, SnapshotCache())
    assert isinstance(roomy.decoder, BatchedDecoder)
    slab_bytes = roomy.decoder.bytes_per_token * SLAB_TOKENS
    # A quarter is for what is over.
    cache_bytes = int(num_slabs * slab_bytes / 0.75) + 1
    sampler = TorchSampler(
        load_base_model(tiny_model, "float64"),
        tokenizer,
        SnapshotCache(),
        cache_bytes=cache_bytes,
        max_rows=max_rows,
    )
    for adapter_id, seed in ((A, 1), (B, 2)):
        sampler.put_snapshot(make_snapshot(sampler, adapter_id, version=seed, seed=seed))
    return sampler


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each pass has read."""
    counted: list[int] = []
    original = BatchedDecoder._run

    def count(self: BatchedDecoder, packed, adapters) -> torch.Tensor:  # type: ignore[no-untyped-def]
        counted.append(sum(len(reading.tokens) for reading in packed))
        return original(self, packed, adapters)

    monkeypatch.setattr(BatchedDecoder, "_run", count)
    return counted


def _requests(number: int) -> list[SampleRequest]:
    random = Random(number)  # noqa: S311 - no secret
    return [
        SampleRequest(
            tuple(random.randrange(5, 200) for _ in range(random.randrange(1, 150))),
            SamplingSettings(
                max_tokens=random.randrange(1, 60),
                temperature=random.choice([0.0, 1.0]),
                seed=index,
            ),
            frozenset(),
            adapter_id=random.choice([None, A, B]),
            user=random.choice(["ada", "bob"]),
        )
        for index in range(30)
    ]


def test_every_answer_is_what_it_is_alone_though_memory_and_rows_are_short(
    tiny_model: Path,
) -> None:
    short = _open(tiny_model, num_slabs=2, max_rows=21)
    requests = _requests(1)
    together = run_together(short, *requests)
    assert [tokens_of(deltas) for deltas in together] == [
        tokens_of(run(_open(tiny_model), request)) for request in requests[:6]
    ] + [tokens_of(run(short, request)) for request in requests[6:]]
    assert isinstance(short.decoder, BatchedDecoder)
    assert (short.decoder.num_rows, short.decoder.num_adapters) == (0, 0)


def test_one_pass_goes_on_with_all_answers(tiny_model: Path, reads: list[int]) -> None:
    sampler = _open(tiny_model)
    request = SampleRequest((1, 2), SamplingSettings(max_tokens=5), frozenset())
    requests = [
        replace(request, prompt=(1, 7 + n), adapter_id=(A, B, None)[n % 3]) for n in range(9)
    ]
    run_together(sampler, *requests)
    assert reads == [18, 9, 9, 9, 9]


def test_a_beginning_is_read_once(tiny_model: Path, reads: list[int]) -> None:
    sampler = _open(tiny_model)
    request = SampleRequest(PROMPT, SamplingSettings(max_tokens=4), frozenset(), A)
    first = run(sampler, request)
    assert reads == [36, 1, 1, 1]
    reads.clear()
    # Two blocks of sixteen are known, in the same weights only.
    assert run(sampler, request) == first
    assert reads == [4, 1, 1, 1]
    reads.clear()
    run(sampler, replace(request, adapter_id=B))
    run(sampler, replace(request, adapter_id=None))
    assert reads == [36, 1, 1, 1] * 2
    # The same number, but other weights.
    sampler.put_snapshot(make_snapshot(sampler, A, version=1, seed=9))
    reads.clear()
    assert run(sampler, request) != first
    assert reads == [36, 1, 1, 1]


def test_samples_of_one_prompt_read_it_once_and_differ(tiny_model: Path, reads: list[int]) -> None:
    sampler = _open(tiny_model)
    request = SampleRequest(PROMPT, SamplingSettings(max_tokens=6, temperature=1.0), frozenset(), A)
    requests = [
        replace(request, settings=replace(request.settings, seed=seed)) for seed in range(4)
    ]
    together = [tokens_of(deltas) for deltas in run_together(sampler, *requests)]
    assert reads[:2] == [36, 1 + 3 * 4]
    assert len(set(map(tuple, together))) == 4
    assert together == [tokens_of(run(sampler, request)) for request in requests]


def test_a_long_prompt_does_not_hold_up_who_is_answering(
    tiny_model: Path, reads: list[int]
) -> None:
    sampler = _open(tiny_model)
    sampler.open_answer(1, SampleRequest((1, 2), SamplingSettings(max_tokens=9), frozenset()))
    sampler.advance()
    long = tuple(n % 200 + 5 for n in range(250))
    sampler.open_answer(2, SampleRequest(long, SamplingSettings(max_tokens=2), frozenset()))
    told = [[number for number, _ in sampler.advance().told] for _ in range(3)]
    assert told == [[1], [1, 2], [1, 2]]
    assert reads == [2, 129, 123, 2]


def test_users_take_turns_and_share_rows(tiny_model: Path) -> None:
    sampler = _open(tiny_model, max_rows=4)
    request = SampleRequest((1, 2), SamplingSettings(max_tokens=20), frozenset(), user="ada")
    for number in range(8):
        sampler.open_answer(number, replace(request, prompt=(1, 10 + number)))
    alone = tokens_of(run(_open(tiny_model), replace(request, prompt=(1, 13))))
    written: dict[int, list[int]] = {}

    def advance() -> set[int]:
        told = sampler.advance().told
        for number, delta in told:
            assert isinstance(delta, SampleDelta)
            written.setdefault(number, []).extend(delta.tokens)
        return {number for number, _ in told}

    assert advance() == {0, 1, 2, 3}
    sampler.open_answer(10, replace(request, user="bob"))
    assert advance() == {0, 1, 2, 10}
    while sampler.num_open:
        advance()
    # Who had to make room has lost nothing.
    assert written[3] == alone


def test_prompts_are_scored_in_company_as_alone(tiny_model: Path) -> None:
    sampler = _open(tiny_model, num_slabs=2)
    request = SampleRequest(
        PROMPT, SamplingSettings(max_tokens=2), frozenset(), A, scores_prompt=True, num_top_prompt=2
    )
    others = [
        replace(request, prompt=PROMPT[: 5 + n], adapter_id=(B, None)[n % 2]) for n in range(6)
    ]
    alone, *_ = run_together(sampler, request)
    together, *_ = run_together(sampler, request, *others)
    scores, again = alone[0].prompt_scores, together[0].prompt_scores
    assert scores is not None
    assert again is not None
    assert len(scores.logprobs) == len(scores.top) == len(PROMPT) - 1
    assert scores.logprobs == pytest.approx(again.logprobs, abs=1e-9)
    # What the answer's own tokens are scored by.
    told = run(sampler, replace(request, settings=SamplingSettings(max_tokens=3)))
    longer = replace(request, prompt=PROMPT + tuple(tokens_of(told)))
    rescored = run(sampler, longer)[0].prompt_scores
    assert rescored is not None
    assert rescored.logprobs[-3:] == pytest.approx([d.logprobs[0] for d in told], abs=1e-9)


def test_weights_that_are_no_numbers_end_their_own_answer_only(tiny_model: Path) -> None:
    sampler = _open(tiny_model)
    broken = make_snapshot(sampler, B, version=3, seed=3)
    broken.weights[:] = np.nan
    sampler.put_snapshot(broken)
    request = SampleRequest(PROMPT, SamplingSettings(max_tokens=5), frozenset(), A)
    expected = tokens_of(run(sampler, request))
    sampler.open_answer(1, replace(request, adapter_id=B))
    [(number, error)] = sampler.advance().told
    assert number == 1
    assert isinstance(error, InvalidDataError)
    # Its place in memory is somebody else's now.
    assert tokens_of(run(sampler, request)) == expected


def test_an_answer_for_which_there_is_never_room_is_refused(tiny_model: Path) -> None:
    sampler = _open(tiny_model, num_slabs=1)
    request = SampleRequest(PROMPT, SamplingSettings(max_tokens=200), frozenset())
    deltas = run(sampler, request)
    assert (len(deltas), deltas[-1].finish_reason) == (128 - len(PROMPT), "length")
    with pytest.raises(QuotaExceededError, match=r"The prompt has 128 tokens; .* memory for 128,"):
        sampler.open_answer(1, replace(request, prompt=(5,) * 128))


def test_a_pass_that_runs_out_of_memory_goes_on_with_fewer(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = _open(tiny_model)
    requests = _requests(2)[:8]
    expected = [tokens_of(run(sampler, request)) for request in requests]
    original = BatchedDecoder._run

    def run_small(self: BatchedDecoder, packed, adapters) -> torch.Tensor:  # type: ignore[no-untyped-def]
        if len(packed) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return original(self, packed, adapters)

    monkeypatch.setattr(BatchedDecoder, "_run", run_small)
    assert [tokens_of(deltas) for deltas in run_together(sampler, *requests)] == expected


class Traffic(RuleBasedStateMachine):
    """Starts and cancels at random; nothing may be left behind."""

    sampler: TorchSampler

    def __init__(self) -> None:
        super().__init__()
        self.open: set[int] = set()
        self.last = 0

    @rule(seed=st.integers(0, 10**6))
    def start(self, seed: int) -> None:
        self.last += 1
        self.sampler.open_answer(self.last, _requests(seed)[0])
        self.open.add(self.last)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        self.sampler.close_answer(number)
        self.open.discard(number)

    @rule(version=st.integers(1, 4))
    def train(self, version: int) -> None:
        self.sampler.put_snapshot(make_snapshot(self.sampler, A, version, seed=version))

    @rule(held=st.booleans())
    def advance(self, held: bool) -> None:
        for number, thing in self.sampler.advance(set(list(self.open)[:2]) if held else ()).told:
            assert not isinstance(thing, TwinkleError)
            if thing.finish_reason is not None:
                self.open.discard(number)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        decoder = self.sampler.decoder
        assert isinstance(decoder, BatchedDecoder)
        assert self.sampler.num_open == len(self.open)
        assert decoder.num_rows <= len(self.open)
        assert decoder.num_adapters <= len(self.open)

    def teardown(self) -> None:
        for number in self.open:
            self.sampler.close_answer(number)
        decoder = self.sampler.decoder
        assert isinstance(decoder, BatchedDecoder)
        assert (self.sampler.num_open, decoder.num_rows, decoder.num_adapters) == (0, 0, 0)


def test_a_thousand_random_starts_and_cancels_leave_nothing_behind(tiny_model: Path) -> None:
    Traffic.sampler = _open(tiny_model, num_slabs=2, max_rows=5)
    case = Traffic.TestCase
    case.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
    case().runTest()
