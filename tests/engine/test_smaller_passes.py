"""A pass that does not fit is computed in smaller ones, with the same result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.conftest import example
from twinkle_jupyter.engine.smaller_passes import halve_budget
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import ForwardBackward


def _op(*lengths: int, loss: str = "cross_entropy") -> ForwardBackward:
    rows = tuple(example(*range(1, length + 2)) for length in lengths)
    return ForwardBackward(AdapterId("a"), 1, rows, loss)


@given(
    st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=6), min_size=1, max_size=3),
    st.integers(1, 300),
)
def test_halving_ends_with_each_row_alone(lengths: list[list[int]], budget: int) -> None:
    ops = [_op(*row_lengths) for row_lengths in lengths]
    budgets = [budget]
    while (smaller := halve_budget(ops, budgets[-1])) is not None:
        assert smaller < budgets[-1]
        budgets.append(smaller)
    longest = max(map(max, lengths))
    assert budgets[-1] <= max(longest, budget)
    assert len(budgets) < 12


def test_a_pair_is_never_parted() -> None:
    assert halve_budget([_op(10, 12, loss="dpo")], 8192) is None
    assert halve_budget([_op(10, 12, 8, 9, loss="dpo")], 8192) == 22
    assert halve_budget([_op(10, 12)], 8192) == 12


#: Runs with so little memory left that a step of all rows does not fit, and one of a few may.
_UNDER_A_LIMIT = """
import json, resource, sys
from pathlib import Path
import torch
from tests.engine.conftest import example
from twinkle_jupyter.engine.base_model import load_base_model
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import AdapterSpec, ForwardBackward

torch.set_num_threads(1)
A, B = AdapterId("a"), AdapterId("b")
rows = tuple(example(*((7 * row + place) % 300 + 3 for place in range(200))) for row in range(64))

def learn(engine, ids, rows):
    return engine.forward_backward([ForwardBackward(key, 1, rows) for key in ids])

def open_engine():
    base = load_base_model(Path(sys.argv[1]))
    engine = StepEngine(base, base_model_name="tiny", token_budget=40_000)
    for key in (A, B):
        engine.create_adapter(key, AdapterSpec(4, 8.0))
    return engine

def limit(free_bytes):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    bound = used + free_bytes if free_bytes is not None else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_AS, (bound, resource.RLIM_INFINITY))

def fill():
    blocks = []
    for size in (2**22, 2**18, 2**15):
        try:
            while True:
                blocks.append(torch.empty(size, dtype=torch.uint8))
        except RuntimeError:
            pass
    return blocks

engine, free = open_engine(), open_engine()
# All code is loaded and every thread is started before memory is short.
for each in (engine, free):
    learn(each, (A, B), rows[:1])
limit(0)
blocks = fill()
tight = learn(engine, (A,), rows[:1])
# 4 MB each: what is left to compute in.
del blocks[: int(sys.argv[2])]
under_limit = learn(engine, (A, B), rows)
budget = engine.token_budget
# Memory in pieces may be short once more; then it settles.
again = [learn(engine, (A,), rows) for _ in range(3)][-1]
del blocks
limit(None)
unlimited = learn(free, (A, B), rows)
for _ in range(3):
    learn(free, (A,), rows)

def told(answers):
    return [str(a) if isinstance(a, Exception) else a.split_into for a in answers]

def difference(key):
    ours, theirs = (each.adapters.get(key).gradient for each in (engine, free))
    return float((ours - theirs).abs().max() / theirs.abs().max())

print(json.dumps({
    "tight": told(tight), "first": told(under_limit), "again": told(again), "budget": budget,
    "losses": [getattr(answer, "loss_sum", None) for answer in under_limit],
    "unlimited": [answer.loss_sum for answer in unlimited],
    "differences": [difference(key) for key in (A, B)],
}))
"""


def test_memory_that_runs_out_makes_passes_smaller_and_leaves_the_same_gradient(
    tiny_model: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _UNDER_A_LIMIT, str(tiny_model), "10"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert "A row of 199 tokens did not fit into memory, even by itself" in told["tight"][0]
    assert told["first"][0] == told["first"][1] > 1, "both were computed in several passes"
    assert told["again"] == [0], "the smaller budget is remembered: nothing runs out again"
    assert told["budget"] < 64 * 200
    assert told["losses"] == pytest.approx(told["unlimited"], rel=1e-6)
    assert max(told["differences"]) < 1e-5
