"""What made-up requests of the Twinkle protocol may name, so that they reach what is behind."""

from __future__ import annotations

from pydantic import BaseModel

from tests.client.live_service import RECORDS
from tests.service.one_of_everything import LABELLED, Belongings
from twinkle_jupyter.wire import twinkle_bodies

#: Fields that bodies have; whatever else is in one is an argument of a class, or a mistake.
_FIELDS = {
    name
    for body in vars(twinkle_bodies).values()
    if isinstance(body, type) and issubclass(body, BaseModel)
    for name in body.model_fields
}

#: By the last part of a route that takes values of its own.
_OF_ROUTE: dict[str, dict[str, object]] = {
    "add_adapter_to_model": {"config": {"r": 4}, "save_dir": None, "seed": 0},
    "clip_grad_norm": {"norm_type": 2},
    "clip_grad_and_step": {"norm_type": 2},
}


def ids_of(mine: Belongings) -> dict[str, object]:
    """Return what paths, and fields of bodies that name something, may be."""
    return {
        "model_id": "tiny",
        "run_id": mine.named_model,
        "checkpoint_id": "weights/kept",
        "adapter_name": mine.named,
        "session_id": mine.session,
        "processor_id": mine.loader,
        "twinkle_path": mine.named_saved,
        "checkpoint_dir": mine.named_saved,
        "adapter_uri": mine.named_saved,
    }


def aimed_body(
    mine: Belongings, route: str, body: dict[str, object], *, is_whole: bool
) -> dict[str, object]:
    """Return a made-up body with the ids of things that exist.

    Args:
        mine: Whose.
        route: The last part of its path.
        body: As it was made up.
        is_whole: Whether it has nothing beside its fields, each of which can be.
    """
    known = ids_of(mine)
    if is_whole:
        known |= _values_of(mine, route)
        body = {name: value for name, value in body.items() if name in _FIELDS}
        body |= {"dataset_meta": {"data": RECORDS}} if "class_type" in body else {}
    return {name: known.get(name, value) for name, value in body.items()}


def _values_of(mine: Belongings, route: str) -> dict[str, object]:
    return {
        "inputs": [LABELLED],
        "sampling_params": {"max_tokens": 2},
        "loss_cls": "GRPOLoss",
        "optimizer_cls": "AdamW",
        "scheduler_cls": "ConstantLR",
        "template_cls": "Template",
        "processor_cls": "InputProcessor",
        "metric_cls": "LossMetric",
        "processor_type": "dataset",
        "class_type": "Dataset",
        "function": "__next__",
        "name": mine.named_saved,
        **_OF_ROUTE.get(route, {}),
    }
