"""How our actors are placed: detached, named, restarted by Ray when they die."""

from __future__ import annotations

import ray

from twinkle_jupyter.actors.names import NAMESPACE
from twinkle_jupyter.actors.ray_handles import NamedActor


def place(
    actor_class: type[object], name: str, *arguments: object, num_gpus: float = 0
) -> NamedActor:
    """Create the named actor, or find the one that is there.

    It asks for no CPUs: who may compute is the scheduler's decision, not Ray's. Of GPUs it sees
    those that it asks for, and no other.
    """
    ray.remote(actor_class).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        num_gpus=num_gpus,
        max_restarts=-1,
        max_concurrency=1000,
    ).remote(*arguments)
    return NamedActor(name)
