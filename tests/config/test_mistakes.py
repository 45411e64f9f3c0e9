"""Mistakes in settings, each with its value and what is allowed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from twinkle_jupyter.config.mistakes import settings_error
from twinkle_jupyter.config.run_config import RunConfig


def _message(settings: dict[str, object], shown: dict[str, str] | None = None) -> str:
    with pytest.raises(ValidationError) as caught:
        RunConfig.model_validate(settings)
    return settings_error(caught.value, shown).message


def test_every_mistake_is_named_at_once() -> None:
    message = _message(
        {
            "rank": 0,
            "learning_rate": 2,
            "ranks": 3,
            "schedule": "linea",
            "steps": "many",
            "seed": 2**31,
        }
    )
    assert message == (
        "`rank=0` is not at least 1. "
        "`learning_rate=2` is more than 0.1. "
        "`schedule='linea'` is not one of 'constant', 'linear' or 'cosine'. "
        "`steps='many'` is not a whole number. "
        "`seed=2147483648` is not less than 2147483648. "
        "`ranks` is not a setting; did you mean `rank`?"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"adapter": "my adapter"},
            "`adapter='my adapter'` does not fit: name of the adapter: letters, digits, `.`, `_` "
            "and `-`.",
        ),
        ({"base_model": ""}, "`base_model=''` is empty."),
        ({"steps": 2.5}, "`steps=2.5` is not a whole number."),
        ({"learning_rate": "fast"}, "`learning_rate='fast'` is not a number."),
        ({"learning_rate": 0}, "`learning_rate=0` is not more than 0."),
        ({"epochs": float("nan")}, "`epochs=nan` is not a number."),
        ({"probe": ("",)}, "`probe[0]=''` is empty."),
        ({"probe": ("a",) * 17}, None),
        ({"probe": "Who?"}, "`probe='Who?'` is not a list."),
        ({"base_model": 7}, "`base_model=7` is not text."),
        (
            {"steps": 3, "epochs": 1},
            "Steps and epochs exclude each other: give one of the two.",
        ),
        ({"zzz": 1}, "`zzz` is not a setting."),
    ],
)
def test_a_mistake_is_one_sentence(settings: dict[str, object], message: str | None) -> None:
    found = _message(settings)
    if message is None:
        assert found.startswith("`probe=('a', 'a', ")
        assert found.endswith("…` has more than 16 entries.")
    else:
        assert found == message


def test_a_flag_is_shown_as_it_was_typed() -> None:
    flags = {"learning_rate": "--learning-rate", "rank": "--rank"}
    assert _message({"learning_rate": 2, "rank": "x"}, flags) == (
        "`--rank 'x'` is not a whole number. `--learning-rate 2` is more than 0.1."
    )


def test_the_error_says_that_nothing_was_started() -> None:
    with pytest.raises(ValidationError) as caught:
        RunConfig(rank=0)
    error = settings_error(caught.value)
    assert (error.code, str(error)) == (
        "invalid_config",
        "`rank=0` is not at least 1. Nothing was started.",
    )
