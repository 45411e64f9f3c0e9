"""The same adapter with other company in the batch learns the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.reference.plain_peft import PEFT_WARNINGS, Step, Trainee, single_thread
from tests.reference.side_by_side import (
    Distance,
    draw_batches,
    measure_distance,
    open_engine,
    train_together,
)
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import AdapterSpec

pytestmark = PEFT_WARNINGS

#: fp64: up to 7e-15. fp32: loss 2e-5, logprob 4e-6, gradient 1e-5, grad_norm 2e-5,
#: weight 6e-6: a matmul over more rows adds up in another order, so that it is not bitwise.
BOUNDS = {
    "float64": Distance(1e-10, 1e-10, 1e-10, 1e-10, 1e-10),
    "float32": Distance(loss=2e-4, logprob=5e-5, gradient=1e-4, grad_norm=2e-4, weight=6e-5),
}
NUM_STEPS = 10
#: Who is looked at.
SUBJECTS: Mapping[AdapterId, Trainee] = {
    AdapterId("likelihood"): Trainee(AdapterSpec(1, 2.0, seed=1)),
    AdapterId("policy"): Trainee(AdapterSpec(4, 8.0, seed=2, targets=("q_proj",)), loss="ppo"),
    AdapterId("preference"): Trainee(AdapterSpec(16, 32.0, seed=3), loss="dpo"),
}
FEW: Mapping[AdapterId, Trainee] = {
    AdapterId("small"): Trainee(AdapterSpec(2, 4.0, seed=4), num_rows=1),
}
MANY: Mapping[AdapterId, Trainee] = {
    AdapterId("wide"): Trainee(AdapterSpec(64, 64.0, seed=5), num_rows=3),
    AdapterId("odd"): Trainee(
        AdapterSpec(7, 3.0, seed=6, first_layer=1),
        loss="dro",
        loss_settings={"beta": 0.1},
        num_rows=5,
    ),
    AdapterId("same rank"): Trainee(AdapterSpec(16, 8.0, seed=7), loss="cispo", num_rows=4),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_company_changes_nothing_but_rounding(base_folder: Path, dtype: str) -> None:
    batches = dict(draw_batches(base_folder, SUBJECTS, NUM_STEPS))
    batches |= draw_batches(base_folder, FEW, NUM_STEPS, max_length=5)
    batches |= draw_batches(base_folder, MANY, NUM_STEPS, max_length=90)

    def train(company: Mapping[AdapterId, Trainee]) -> dict[AdapterId, list[Step]]:
        engine = open_engine(base_folder, dtype, company)
        return train_together(engine, company, {key: batches[key] for key in company})

    with single_thread():
        # Company before and behind the subjects, so that none of them has its old place.
        quiet = train({**SUBJECTS, **FEW})
        crowded = train({**MANY, **SUBJECTS, **FEW})
        alone = {key: train({key: trainee})[key] for key, trainee in SUBJECTS.items()}
    for key in SUBJECTS:
        for other in (crowded, alone):
            found = measure_distance(zip(quiet[key], other[key], strict=True))
            assert found.is_within(BOUNDS[dtype]), (key, found)
