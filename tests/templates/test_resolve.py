"""Whose template goes with a base model, and what a service announces of it."""

from __future__ import annotations

import pytest

from twinkle_jupyter.templates.resolve import merge_supported_models, resolve_template_model_id

ANNOUNCED = [
    "old-server-says-a-name",
    {"model_name": "base", "template_init_model_id": "instruct"},
    {"model_name": "bare"},
    {"model_name": "empty", "template_init_model_id": ""},
]


@pytest.mark.parametrize(
    ("name", "explicit", "expected"),
    [
        ("base", "mine", "mine"),
        ("base", "", ""),
        ("base", None, "instruct"),
        ("bare", None, "bare"),
        ("empty", None, "empty"),
        ("unknown", None, "unknown"),
    ],
)
def test_explicit_then_announced_then_its_own(
    name: str, explicit: str | None, expected: str
) -> None:
    assert resolve_template_model_id(name, explicit, ANNOUNCED) == expected
    assert resolve_template_model_id(name, None, ()) == name


def test_what_is_configured_wins_and_nothing_is_lost() -> None:
    merged = merge_supported_models(
        [
            {"model_name": "a", "template_init_model_id": "said", "price": 3},
            "b",
            {"model_name": "c", "template_init_model_id": None, "note": "x"},
            "elsewhere",
        ],
        of_trainers={"a": "trainer-a", "b": "trainer-b", "d": "trainer-d"},
        of_samplers={"b": "sampler-b", "c": "sampler-c"},
    )
    assert merged == [
        {"model_name": "a", "template_init_model_id": "said", "price": 3},
        {"model_name": "b", "template_init_model_id": "sampler-b"},
        {"model_name": "c", "template_init_model_id": "sampler-c", "note": "x"},
        {"model_name": "elsewhere", "template_init_model_id": None},
        {"model_name": "d", "template_init_model_id": "trainer-d"},
    ]
