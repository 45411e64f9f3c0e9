"""Which versions are held, and which is the default."""

from __future__ import annotations

import pytest
import torch

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter, SnapshotCache
from twinkle_jupyter.scheduling.request import AdapterSpec

A, B, C = AdapterId("a"), AdapterId("b"), AdapterId("c")


def _put(cache: SnapshotCache, adapter_id: AdapterId, version: int) -> None:
    weights = torch.zeros(10, dtype=torch.int8)
    cache.put(adapter_id, HeldAdapter(AdapterVersion(version), AdapterSpec(1, 1.0), weights))


def _versions(cache: SnapshotCache, adapter_id: AdapterId) -> list[int]:
    found = []
    for version in range(10):
        try:
            found.append(cache.get(adapter_id, AdapterVersion(version)).version)
        except NotFoundError:
            continue
    return list(found)


def test_the_last_three_versions_stay() -> None:
    cache = SnapshotCache()
    for version in (1, 2, 2, 3, 4):
        _put(cache, A, version)
    assert (_versions(cache, A), cache.get(A, None).version) == ([2, 3, 4], 4)
    assert (len(cache), cache.size_bytes) == (1, 30)


def test_what_came_last_is_the_default_and_takes_no_other_version_away() -> None:
    cache = SnapshotCache()
    for version in (4, 5, 3):
        _put(cache, A, version)
    assert (_versions(cache, A), cache.get(A, None).version) == ([3, 4, 5], 3)


def test_the_adapter_used_least_recently_goes_first() -> None:
    cache = SnapshotCache(max_adapters=2)
    _put(cache, A, 1)
    _put(cache, B, 1)
    cache.get(A, None)
    _put(cache, C, 1)
    with pytest.raises(NotFoundError, match="Adapter 'b' is not on this sampler"):
        cache.get(B, None)
    assert cache.get(A, None).version == 1
    cache.remove(A)
    cache.remove(A)
    assert len(cache) == 1
