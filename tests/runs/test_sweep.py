"""A grid as runs: their names, their settings, and every mistake at once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.runs.sweep import Around, expand, format_value, widen
from twinkle_jupyter.store.interface import JSON


def test_a_grid_is_a_run_for_each_combination() -> None:
    members = expand("s", {"steps": 9}, {"learning_rate": ["1e-4", 3e-4], "rank": [4, "16"]})
    assert [member.config.adapter for member in members] == [
        "s-lr1e-4-r4",
        "s-lr1e-4-r16",
        "s-lr3e-4-r4",
        "s-lr3e-4-r16",
    ]
    assert members[3].settings == {"learning_rate": 3e-4, "rank": 16}
    assert members[3].config == RunConfig(
        adapter="s-lr3e-4-r16", steps=9, learning_rate=3e-4, rank=16
    )


def test_every_mistake_is_named_before_anything_starts() -> None:
    grid: dict[str, list[object]] = {
        "learning_rate": ["1e-4", "fast", "1e-4"],
        "rank": [0, 8],
        "base_model": ["a", "b"],
        "rnak": [1, 2],
        "seed": [],
    }
    with pytest.raises(InvalidConfigError) as caught:
        expand("a name", {"steps": -1}, grid, Around(shown={"rank": "--rank"}))
    said = caught.value.message
    for mistake in (
        "`name='a name'` does not fit",
        "`steps=-1` is not at least 1",
        "`learning_rate='fast'` is not a number",
        "`--rank 0` is not at least 1",
        "`base_model` takes one value in a sweep: the members train side by side",
        "`rnak` is not a setting; did you mean `--rank`?",
        "`seed` has no value",
    ):
        assert mistake in said
    assert caught.value.hint == "Nothing was started."


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ({"learning_rate": [1e-4, "0.0001"]}, "`learning_rate` has a value twice"),
        ({"rank": list(range(1, 10)), "seed": list(range(9))}, "81 runs are more than"),
        ({"rank": [4]}, "One run is no sweep"),
        ({"steps": [3, 4], "epochs": [1, 2]}, "Steps and epochs exclude each other"),
        ({"rank": [4, 8], "steps": [10**7]}, ""),
    ],
)
def test_a_grid_that_is_no_sweep_is_refused(grid: dict[str, list[object]], says: str) -> None:
    if not says:
        assert len(expand("s", {}, grid)) == 2
        return
    with pytest.raises(InvalidConfigError, match=says):
        expand("s", {}, grid)


def test_an_extension_adds_its_values_to_all_that_there_were() -> None:
    grid: dict[str, list[JSON]] = {"learning_rate": [1e-4, 3e-4], "rank": [4, 16]}
    more: dict[str, list[object]] = {"learning_rate": ["3e-3"]}
    members = expand("s", {}, {**grid, **more}, Around(taken=["s-lr1e-4-r4"]))
    assert [one.config.adapter for one in members] == ["s-lr3e-3-r4", "s-lr3e-3-r16"]
    assert widen({"seed": 0}, grid, more) == {"learning_rate": [1e-4, 3e-4, 3e-3], "rank": [4, 16]}
    assert widen({"seed": 0}, grid, {"seed": [7]}) == {**grid, "seed": [0, 7]}
    with pytest.raises(InvalidConfigError, match="'s-lr1e-4-r4' is in the sweep already"):
        expand("s", {}, {"learning_rate": [1e-4], "rank": [4]}, Around(taken=["s-lr1e-4-r4"]))


@given(st.floats(min_value=1e-300, max_value=1e300, allow_subnormal=False))
def test_a_value_is_written_so_that_it_can_be_read_back(value: float) -> None:
    assert math.isclose(float(format_value(value)), value, rel_tol=0)


def test_values_are_short() -> None:
    values: list[JSON] = [1e-4, 0.00015, 0.01, 1e-3, 16, 8.0, 0.1, "cosine", 1e6, None]
    assert [format_value(value) for value in values] == [
        *("1e-4", "1.5e-4", "0.01", "1e-3", "16", "8", "0.1", "cosine", "1e6", "none"),
    ]


def test_no_two_settings_are_shortened_alike() -> None:
    names = {
        expand("s", {}, {name: [value], "rank": [1, 2]})[0].config.adapter.split("-")[1]
        for name, value in {
            "alpha": 4, "batch_size": 4, "checkpoint_every": 4, "epochs": 4, "eval_every": 4,
            "grad_clip": 4, "keep_last": 4, "patience": 4, "probe_every": 4, "probe_tokens": 4,
            "seed": 4, "steps": 4, "warmup_steps": 4,
        }.items()
    }  # fmt: skip
    assert len(names) == 13
