"""What only an actor has: it dies, and everything in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
import ray

from twinkle_jupyter.actors.names import NAMESPACE
from twinkle_jupyter.actors.ray_store import RayStore
from twinkle_jupyter.actors.store_actor import place_store
from twinkle_jupyter.errors import ServiceUnavailableError

pytestmark = pytest.mark.ray


async def test_a_store_that_died_never_comes_back_empty(one_ray: Callable[[], str]) -> None:
    place_store("mortal")
    store = RayStore.open("mortal")
    await store.put("a", {"x": 1})
    wait = asyncio.create_task(store.wait("log", 0, timeout_s=20))
    actor: Any = ray.get_actor("mortal", NAMESPACE)
    actor.__ray_call__.remote(lambda _: os._exit(1))
    with pytest.raises(ServiceUnavailableError):
        await asyncio.wait_for(wait, 15)
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError):
            await store.get("a")
        await asyncio.sleep(0.5)


async def test_a_store_that_nobody_made_is_one_sentence(one_ray: Callable[[], str]) -> None:
    with pytest.raises(ServiceUnavailableError, match="nobody's is not running"):
        RayStore.open("nobody's")
