"""What made-up requests of the Twinkle protocol may name, so that they reach what is behind."""

from __future__ import annotations

from tests.client.live_service import RECORDS
from tests.service.one_of_everything import LABELLED, Belongings

#: By the last part of a route that takes values of its own.
_OF_ROUTE: dict[str, dict[str, object]] = {
    "add_adapter_to_model": {"config": {"r": 4}, "save_dir": None, "seed": 0},
    "create_session": {"session_id": ""},
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


def values_of(mine: Belongings, route: str) -> dict[str, object]:
    """Return what else there may be in a body of a route, by its last part."""
    return {
        "inputs": [LABELLED],
        "sampling_params": {"max_tokens": 2},
        "loss_cls": "GRPOLoss",
        "optimizer_cls": "AdamW",
        "scheduler_cls": "CosineWarmupScheduler",
        "template_cls": "Template",
        "processor_cls": "InputProcessor",
        "metric_cls": "LossMetric",
        "processor_type": "dataset",
        "class_type": "Dataset",
        "dataset_meta": {"data": RECORDS},
        "function": "__next__",
        "name": mine.named_saved,
        **_OF_ROUTE.get(route, {}),
    }
