"""Adapter versions on disk, as an engine that loads them by path needs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.base_model import fingerprint_base_model, load_base_model
from twinkle_jupyter.engine.folder_sites import find_sites
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.adapter_files import AdapterFiles
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest, SamplingSettings
from twinkle_jupyter.scheduling.request import AdapterSpec

A = AdapterId("a")
SPEC = AdapterSpec(rank=2, alpha=4.0)
ASKED = SampleRequest((1, 2), SamplingSettings(), frozenset(), A)


@pytest.fixture
def files(tiny_model: Path, tmp_path: Path) -> AdapterFiles:
    found = find_sites(tiny_model)
    fingerprint = fingerprint_base_model(tiny_model)
    return AdapterFiles(
        tmp_path / "home", found.sites, "tiny", fingerprint, max_rank=8, max_folders=2
    )


def _snapshot(tiny_model: Path, version: int, spec: AdapterSpec = SPEC) -> AdapterSnapshot:
    size = AdapterLayout.of(find_sites(tiny_model).sites, spec).num_parameters
    weights = np.full(size, version, dtype=np.float32)
    return AdapterSnapshot(A, AdapterVersion(version), spec, weights)


def test_the_newest_is_found_and_what_nobody_asks_for_goes(
    files: AdapterFiles, tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="Adapter 'a' is not on this sampler"):
        files.find(ASKED)
    for version in (1, 2):
        files.put(_snapshot(tiny_model, version))
    found = files.find(replace(ASKED, version=AdapterVersion(1)))
    assert found is not None
    weights = load_file(found.folder / "adapter_model.safetensors")
    assert all(float(tensor.max()) == 1.0 for tensor in weights.values())
    files.put(_snapshot(tiny_model, 3))
    newest = files.find(ASKED)
    assert newest is not None
    assert (newest.version, len(list((tmp_path / "home").iterdir()))) == (3, 2)
    # Version 2 was not asked for.
    with pytest.raises(NotFoundError):
        files.find(replace(ASKED, version=AdapterVersion(2)))
    # Other weights under a number that was there are another folder.
    files.put(_snapshot(tiny_model, 3))
    again = files.find(ASKED)
    assert again is not None
    assert again.number != newest.number
    files.remove(A)
    assert (len(files), list((tmp_path / "home").iterdir())) == (0, [])
    assert files.find(replace(ASKED, adapter_id=None)) is None


def test_a_checkpoint_is_read_where_it_is_and_never_deleted(
    files: AdapterFiles, tiny_model: Path, tmp_path: Path
) -> None:
    engine = StepEngine(load_base_model(tiny_model), base_model_name="tiny")
    engine.create_adapter(A, SPEC)
    engine.write_checkpoint(tmp_path / "ckpt", engine.copy_adapter(A))
    asked = replace(ASKED, checkpoint=str(tmp_path / "ckpt"))
    found = files.find(asked)
    assert found is not None
    assert (found.folder, found.version) == (tmp_path / "ckpt", 0)
    with pytest.raises(NotFoundError, match="Checkpoint 'ckpt' of adapter 'a' is version 0, not 4"):
        files.find(replace(asked, version=AdapterVersion(4)))
    files.remove(A)
    assert (tmp_path / "ckpt" / "adapter_config.json").is_file()


def test_what_the_engine_could_not_load_is_refused(files: AdapterFiles, tiny_model: Path) -> None:
    with pytest.raises(InvalidConfigError, match="rank=16 is more than this sampler takes"):
        files.put(_snapshot(tiny_model, 1, AdapterSpec(rank=16, alpha=4.0)))
    short = replace(_snapshot(tiny_model, 1), weights=np.zeros(3, dtype=np.float32))
    with pytest.raises(InvalidDataError, match=r"A snapshot of rank 2 has \d+ numbers"):
        files.put(short)
