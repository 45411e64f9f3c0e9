"""Where a sampler goes, by arithmetic: no GPU is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.config.trainer_settings import SamplerPlacement
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.launch.sampler_placement import choose_placement, count_base_bytes

GIB = 2**30
#: Eight billion weights in bf16.
LARGE = 16 * 10**9


@pytest.mark.parametrize(
    ("free_gpus", "gpu_gib", "placement"),
    [
        (0.0, None, "apart"),  # mapped from one file
        (1.0, 24, "with_trainer"),
        (1.0, 48, "with_trainer"),
        (1.0, 80, "apart"),
        (2.0, 24, "apart"),  # a GPU each
        (1.0, None, "apart"),
    ],
)
def test_one_copy_where_two_have_no_room(
    free_gpus: float, gpu_gib: int | None, placement: SamplerPlacement
) -> None:
    gpu_bytes = None if gpu_gib is None else gpu_gib * GIB
    assert choose_placement(None, free_gpus, gpu_bytes, LARGE) == placement
    assert choose_placement("with_trainer", free_gpus, gpu_bytes, LARGE) == "with_trainer"
    assert choose_placement("apart", free_gpus, gpu_bytes, LARGE) == "apart"


def test_the_bytes_of_a_base_model_follow_its_number_type(tiny_model: Path) -> None:
    single, half = (count_base_bytes(tiny_model, dtype) for dtype in ("float32", "bfloat16"))
    assert half is not None
    assert single == 2 * half


@pytest.mark.parametrize("other", [{"replicas": 2}, {"gpus": 0.5}])
def test_what_a_sampler_with_its_trainer_cannot_have_is_said(other: dict[str, float]) -> None:
    ((name, value),) = other.items()
    with pytest.raises(InvalidConfigError, match=rf"`sampler\.{name}={value}` cannot be had with"):
        ServiceConfig.load(sampler={"placement": "with_trainer", **other})
    # Said of one base model, with the rest said of all.
    with pytest.raises(InvalidConfigError, match=rf"`base_models\.small\.sampler\.{name}="):
        ServiceConfig.load(
            sampler=other, base_models={"small": {"sampler": {"placement": "with_trainer"}}}
        )
    # What the machine decides goes by the rest.
    assert ServiceConfig.load(sampler=other).sampler.placement_wish == "apart"
