"""The recipes of `tinker_cookbook`, as they are, against a real service over Ray; without a hub.

Takes minutes, most of them to install the cookbook: `TWINKLE_COOKBOOK=1 pytest` this file. With
`TWINKLE_COOKBOOK_MODEL` a folder, that base model instead of the tiny one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.contracts.client_environment import client_variables, make_client_environment
from tests.journeys.service_process import Service
from tests.tiny_model import build_tiny_model
from twinkle_jupyter.client.discovery import find_connection

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not os.environ.get("TWINKLE_COOKBOOK"), reason="takes minutes"),
]

#: The newest whose requirements a package index has all of.
COOKBOOK = "tinker_cookbook[math-rl]==0.5.8"
#: A name that the cookbook knows, and with it how conversations are rendered: as ours are.
MODEL = "Qwen/Qwen3-4B-Instruct-2507"
#: Said by chance often enough for some answers to be right, and others wrong.
ANSWER = "\\boxed{56}"
ROWS = [
    {"question": f"Seven times eight, {number}?", "answer": "It is fifty-six.\n#### 56"}
    for number in range(16)
]
TALKS = [
    [
        {"role": "user", "content": f"Who are you, {number}?"},
        {"role": "assistant", "content": "I am Twinkle, a small model."},
    ]
    for number in range(16)
]


@pytest.fixture
def tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base model where the service and the cookbook look for one of that name."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / MODEL
    if chosen := os.environ.get("TWINKLE_COOKBOOK_MODEL"):
        folder.parent.mkdir()
        folder.symlink_to(chosen)
    else:
        build_tiny_model(folder, words=[ANSWER])
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 2048}))
    return Path(MODEL)


def _write_data(root: Path) -> None:
    """Put data sets where `datasets` looks before it asks a hub."""
    robots, gsm8k = root / "HuggingFaceH4/no_robots", root / "openai/gsm8k"
    robots.mkdir(parents=True)
    (gsm8k / "main").mkdir(parents=True)
    files = [{"split": split, "path": f"main/{split}.jsonl"} for split in ("train", "test")]
    card = {"configs": [{"config_name": "main", "data_files": files}]}
    (gsm8k / "README.md").write_text(f"---\n{json.dumps(card)}\n---\n")
    for split in ("train", "test"):
        _write_lines(robots / f"{split}.jsonl", [{"messages": talk} for talk in TALKS])
        _write_lines(gsm8k / "main" / f"{split}.jsonl", ROWS)


def _write_lines(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _run(python: Path, recipe: str, root: Path, **settings: object) -> list[dict[str, float]]:
    """Run a recipe to its end; return what it wrote of each step."""
    connection = find_connection()
    assert connection is not None
    log = root / recipe
    given = {
        "model_name": MODEL,
        "base_url": connection.url,
        "log_path": str(log),
        "max_steps": 3,
        "lora_rank": 8,
        "learning_rate": 1e-3,
        **settings,
    }
    command = [str(python), "-m", f"tinker_cookbook.recipes.{recipe}"]
    done = subprocess.run(
        [*command, *(f"{name}={value}" for name, value in given.items())],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=root,
        env={
            **client_variables(connection.api_key),
            "HF_HOME": str(root / "hub"),
            "HF_DATASETS_OFFLINE": "1",
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in (log / "metrics.jsonl").read_text().splitlines()]


def test_recipes_train(service: Service, tmp_path: Path) -> None:
    python = make_client_environment(tmp_path / "cookbook", COOKBOOK)
    _write_data(tmp_path)
    small = {"batch_size": 4, "save_every": 1}
    supervised = [row["train_mean_nll"] for row in _run(python, "sl_loop", tmp_path, **small)]
    assert len(supervised) == 3
    assert supervised == sorted(supervised, reverse=True)

    several = {"group_size": 16, "max_tokens": 48}
    rewards = [row["reward/total"] for row in _run(python, "rl_loop", tmp_path, **small, **several)]
    assert len(rewards) == 3

    # What samples and what trains are one model.
    learnt = _run(python, "rl_basic", tmp_path, max_tokens=48, save_every=0)
    divergences = [row["optim/kl_sample_train_v1"] for row in learnt]
    figures = {"nll": supervised, "rewards": rewards, "kl": divergences}
    sys.stdout.write(json.dumps(figures) + "\n")
    assert abs(divergences[0]) < 1e-3
