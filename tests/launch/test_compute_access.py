"""Which Ray the service is part of: the one there is, and never none by mistake."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.launch import compute_access
from twinkle_jupyter.launch.compute_access import ComputeAccess
from twinkle_jupyter.launch.ray_head import RayHead
from twinkle_jupyter.store.sqlite import SqliteStore


class Rays:
    """In the place of joining and leaving a cluster; joining lasts as long as it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.may_join = threading.Event()
        self.may_join.set()
        self.has_left = threading.Event()

    def join(self, head: RayHead) -> None:
        self.may_join.wait(10)
        self.calls.append(head.address)

    def leave(self) -> None:
        self.calls.append("left")
        self.has_left.set()


@pytest.fixture
def rays(monkeypatch: pytest.MonkeyPatch) -> Rays:
    rays = Rays()
    monkeypatch.setattr(compute_access, "join_head", rays.join)
    monkeypatch.setattr(compute_access, "leave_head", rays.leave)
    monkeypatch.setattr(compute_access, "_WATCH_S", 0.01)
    return rays


@pytest.fixture
async def access(tmp_path: Path) -> AsyncIterator[ComputeAccess]:
    store = SqliteStore.open(tmp_path / "store.sqlite3")
    config = ServiceConfig.load(home=tmp_path)
    access = ComputeAccess(store, config)
    watch = asyncio.create_task(access.watch())
    yield access
    watch.cancel()
    await store.close()


async def test_a_ray_that_is_being_joined_is_not_left(
    access: ComputeAccess, rays: Rays, tmp_path: Path
) -> None:
    RayHead("first", "token", 1).write(ServiceConfig.load(home=tmp_path).cluster_path)
    rays.may_join.clear()
    joining = asyncio.create_task(access.join())
    # The watch looks many times while it is not known yet which Ray it will be.
    await asyncio.wait([joining], timeout=0.3)
    rays.may_join.set()
    await joining
    await asyncio.sleep(0.2)
    assert rays.calls == ["first"]


async def test_a_ray_in_whose_place_is_another_is_left_by_itself(
    access: ComputeAccess, rays: Rays, tmp_path: Path
) -> None:
    path = ServiceConfig.load(home=tmp_path).cluster_path
    RayHead("first", "token", 1).write(path)
    await access.join()
    path.unlink()
    await asyncio.sleep(0.1)
    assert rays.calls == ["first"], "not while it falls apart"
    RayHead("second", "token", 2).write(path)
    assert await asyncio.to_thread(rays.has_left.wait, 5)
    assert rays.calls == ["first", "left"]
    await access.join()
    await access.leave()
    assert rays.calls == ["first", "left", "second", "left"]
