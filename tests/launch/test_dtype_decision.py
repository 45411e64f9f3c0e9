"""The number type of a base model: said, or measured once and kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from twinkle_jupyter.config.trainer_settings import DtypeChoice
from twinkle_jupyter.engine import dtype_choice
from twinkle_jupyter.engine.compute_dtype import choose_compute_dtype
from twinkle_jupyter.engine.dtype_choice import choose_dtype
from twinkle_jupyter.launch import dtype_decision
from twinkle_jupyter.launch.dtype_decision import decide_dtype


async def test_what_was_said_is_not_measured(tmp_path: Path) -> None:
    decided = await decide_dtype("bfloat16", tmp_path / "no model", tmp_path, 1)
    assert decided == DtypeChoice("bfloat16")
    assert not (tmp_path / "dtype.json").exists()


async def test_it_is_decided_once_for_each_trainer(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "trainer"
    decided = await decide_dtype("auto", tiny_model, kept, 1)
    assert decided == DtypeChoice("float32", "the model is small")
    monkeypatch.setattr(dtype_decision, "_SMALL_BYTES", 0)
    measured = await decide_dtype("auto", tiny_model, kept, 1)
    assert asdict(measured) == json.loads((kept / "dtype.json").read_text())
    # Adapters go on in what they began with, also where another would be chosen today.
    (kept / "dtype.json").write_text(json.dumps({"dtype": "bfloat16", "reason": "so"}))
    assert await decide_dtype("auto", tiny_model, kept, 1) == DtypeChoice("bfloat16", "so")


async def test_a_model_that_cannot_be_measured_is_computed_in_fp32(tmp_path: Path) -> None:
    decided = await decide_dtype("auto", tmp_path / "nowhere", tmp_path, 1)
    assert decided == DtypeChoice("float32", "it could not be measured")


def test_a_large_model_is_measured_where_there_are_units_for_bf16(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtype_choice, "_BYTES_READ", 2**20)
    has_units = choose_compute_dtype(torch.bfloat16, torch.device("cpu"))
    choice = choose_dtype(tiny_model, 1)
    if has_units == torch.bfloat16:
        assert "as fast" in choice.reason
        monkeypatch.setattr(dtype_choice, "_WORTH", 1e9)
        assert choose_dtype(tiny_model, 1).dtype == "float32"
        monkeypatch.setattr(dtype_choice, "_WORTH", 0)
        assert choose_dtype(tiny_model, 1).dtype == "bfloat16"
    else:
        assert choice.reason == "this processor has no units for bfloat16"


def test_a_model_that_would_not_fit_is_halved(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtype_choice, "machine_memory", lambda: 100_000)
    choice = choose_dtype(tiny_model, 1)
    assert choice.dtype == "bfloat16"
    assert choice.reason.startswith("in float32 it would take ")
