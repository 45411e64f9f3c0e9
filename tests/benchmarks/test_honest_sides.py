"""What the benchmarks leave out of a peer's time, and what they must not leave out of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks import generate_side, sampling
from benchmarks.actor_processes import find_sampler
from benchmarks.pixel_latency import latencies_of
from benchmarks.sampling_while_training import freshness_row, slowdown_row

if TYPE_CHECKING:
    from peft import PeftModel


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_only_answers_of_several_adapters_pay_for_switching(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel

    clock = 0.0
    switch = PeftModel.set_adapter

    def switch_slowly(model: PeftModel, name: str) -> None:
        nonlocal clock
        clock += 10
        switch(model, name)

    side = generate_side.Generate(tiny_model, "float32", 2, 1, lambda: (11, 12))
    monkeypatch.setattr(PeftModel, "set_adapter", switch_slowly)
    monkeypatch.setattr(generate_side, "perf_counter", lambda: clock)
    told = [side.write(2), side.read(4), side.write(1), side.write_batched(2)]
    assert told == [20, 0, 0, 0]


def test_vllm_gets_as_many_threads_as_our_side(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\necho \'{{"1": [2.0]}}\'\n')
    python.chmod(0o755)
    [row] = sampling._vllm_rows(tmp_path, tmp_path, "float32", (1,), 8, 1)
    assert row.value == 4
    assert f"--threads {torch.get_num_threads()}" in (tmp_path / "said").read_text()


def test_a_step_that_was_never_painted_is_as_late_as_the_end() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    ended = began + timedelta(seconds=10)
    written = {step: began + timedelta(seconds=step) for step in range(10)}
    written[10] = ended - timedelta(milliseconds=100)
    painted = {"0": 1.0, "1": 1e3 * began.timestamp() + 1040, "2": 0.0}
    late = latencies_of(written, painted, began, ended, 250)
    assert late == [40, 8000, 7000, 6000, 5000, 4000, 3000, 2000, 1000]


def test_one_stale_answer_misses_the_bar_of_freshness() -> None:
    assert freshness_row([0, 1, 0, 1]).holds
    assert not freshness_row([0, 0, 0, 2]).holds


def test_beside_a_sampler_of_its_own_a_step_always_has_a_bar() -> None:
    assert slowdown_row([1.0], [1.3], [0.0], "apart").holds is False
    assert slowdown_row([1.0], [1.3], [0.25], "apart").holds is True
    assert slowdown_row([1.0], [1.3], [0.0], "with_trainer").holds is None
    with pytest.raises(RuntimeError, match="0 processes"):
        find_sampler("apart")
