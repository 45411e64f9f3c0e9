"""The processes of trainer and sampler on a Ray of our own, and what they take."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from twinkle_jupyter.config.trainer_settings import SamplerPlacement


def find_sampler(placement: SamplerPlacement) -> list[psutil.Process]:
    """Return the sampler's process; none where it is the trainer's, which tells no shares.

    Raises:
        RuntimeError: There is not exactly one.
    """
    if placement == "with_trainer":
        return []
    found = _find_actors("ray::SamplerActor")
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} processes of a sampler were found, not one")
    return found


def _find_actors(*names: str) -> list[psutil.Process]:
    """Return actors by how their titles begin: of our own Ray, which is below this process."""
    below = psutil.Process().children(recursive=True)
    actors = [one for one in below if "Actor" in " ".join(one.cmdline())]
    return [one for one in actors if any(name in " ".join(one.cmdline()) for name in names)]


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [one.cpu_times() for one in processes]
    return sum(one.user + one.system for one in times)


def measure_memory() -> tuple[int, int, int]:
    """Return the bytes of trainer and sampler, and of weights mapped by them: once, and twice."""
    total = once = twice = 0
    for process in _find_actors("ray::TrainerActor", "ray::SamplerActor", "ray::TrainerWith"):
        for mapping in process.memory_maps():
            total += mapping.pss
            if mapping.path.endswith(".safetensors"):
                once += mapping.pss
                twice += mapping.rss
    return total, once, twice
