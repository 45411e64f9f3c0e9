"""The benchmarks run from the command line on a tiny model, so that they cannot rot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = {
    "many_adapters.py --adapters 2 8 --tokens 16": [
        "float32 k=2 n=16 all (94% learned)",
        "float32 k=8 n=16 all (94% learned)",
        "float32 k=8 n=16 all: over one adapter",
    ],
    "one_adapter.py --steps 2 --sides ours peft": [
        "shipped: peak memory, ours / peft, total",
        "shipped: peak memory, ours / peft, growth",
        "shipped (58% learned): ours / peft",
    ],
    "sampling.py --tokens 4": ["1 stream / generate, float32", "16 adapters / 1 stream, float32"],
    "sampling_while_training.py": [
        "largest age of a first token, float32, apart",
        "hand-over, rank 64, float32, apart",
    ],
    "sweep.py": ["a sweep of 8, 3 steps, batch size 1: over one run"],
    "step_profile.py --settings 2x16": ["2x16 time, not profiled", "2x16 profiled: optimizer"],
}


@pytest.mark.parametrize("command", CASES)
def test_a_benchmark_runs_and_names_its_rows(command: str, tiny_model: Path) -> None:
    script, *arguments = command.split()
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "benchmarks" / script), *arguments),
            *("--model", str(tiny_model), "--quick", "--rounds", "1", "--threads", "1", "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout[done.stdout.index("{") :])["rows"]
    names = [row["name"] for row in rows]
    assert [name for name in CASES[command] if name not in names] == []
    assert all(row["value"] >= 0 or row["unit"] == "%" for row in rows)
