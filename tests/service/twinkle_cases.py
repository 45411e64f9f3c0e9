"""Routes of the Twinkle protocol in the walk over every route: how each is asked for Anna's."""

from __future__ import annotations

from collections.abc import Callable

from tests.service.one_of_everything import LABELLED, Belongings

#: The path's places, and what the body has beside the names below.
TwinkleCase = tuple[dict[str, str], Callable[[Belongings], dict[str, object]]]

_MODEL = "/api/v1/model/{model_id}/twinkle"
_SAMPLER = "/api/v1/sampler/{model_id}/twinkle"
_RUN = "/api/v1/twinkle/training_runs/{run_id}"

#: Routes that take nobody's id: whether there is a base model, what all see, what is the asker's.
NO_ID = {
    *(f"GET /api/v1/{app}/{{model_id}}/healthz" for app in ("model", "sampler")),
    *(f"POST {_MODEL}/{name}" for name in ("create", "apply_patch")),
    *(f"POST {_SAMPLER}/{name}" for name in ("create", "apply_patch", "add_adapter_to_sampler")),
    *(f"POST {_SAMPLER}/set_template", "POST /api/v1/processor/twinkle/create"),
    # There is no upload.
    f"GET {_MODEL}/upload_status/{{request_id}}",
    *(f"GET /api/v1/twinkle/{name}" for name in (
        "healthz", "healthz/deep", "get_server_capabilities", "capacity_info", "status",
        "training_runs",
    )),
    "POST /api/v1/twinkle/create_session",
}  # fmt: skip

#: Of an adapter, in the order in which its owner can ask for them all.
_OF_ADAPTER: dict[str, dict[str, object]] = {
    "add_adapter_to_model": {"config": {"r": 4}},
    "set_template": {"template_cls": "Template"},
    "set_processor": {"processor_cls": "InputProcessor"},
    "set_loss": {"loss_cls": "CrossEntropyLoss"},
    "set_optimizer": {"optimizer_cls": "AdamW"},
    "set_lr_scheduler": {"scheduler_cls": "StepLR", "step_size": 2},
    "add_metric": {"metric_cls": "LossMetric"},
    "get_train_configs": {},
    "forward": {"inputs": [LABELLED]},
    "calculate_loss": {},
    "backward": {},
    "forward_backward": {"inputs": [LABELLED]},
    "clip_grad_norm": {},
    "step": {},
    "zero_grad": {},
    "lr_step": {},
    "clip_grad_and_step": {},
    "forward_only": {"inputs": [LABELLED]},
    "calculate_metric": {},
    "get_state_dict": {},
    "save": {"name": "other"},
}


def _of_adapter(fields: dict[str, object]) -> TwinkleCase:
    return {"model_id": "tiny"}, lambda mine: {"adapter_name": mine.named, **fields}


def _by_weights(field: str, **more: object) -> TwinkleCase:
    def body(mine: Belongings) -> dict[str, object]:
        return {"adapter_name": mine.named, field: mine.named_saved, **more}

    return {"model_id": "tiny"}, body


def _of_run(*places: str) -> TwinkleCase:
    known = {"run_id": "named_model", "checkpoint_id": "weights/kept"}
    return {place: known[place] for place in places}, lambda _: {}


TWINKLE: dict[str, TwinkleCase] = {
    "POST /api/v1/twinkle/session_heartbeat": ({}, lambda mine: {"session_id": mine.session}),
    **{f"POST {_MODEL}/{name}": _of_adapter(fields) for name, fields in _OF_ADAPTER.items()},
    f"POST {_MODEL}/load": _by_weights("name"),
    f"POST {_MODEL}/resume_from_checkpoint": _by_weights("name"),
    f"POST {_MODEL}/upload_to_hub": _by_weights("checkpoint_dir", hub_model_id="me/there"),
    f"POST {_SAMPLER}/sample": _by_weights(
        "adapter_uri", inputs=[LABELLED], sampling_params={"max_tokens": 1}
    ),
    f"POST {_SAMPLER}/sample_stream": _of_adapter(
        {"inputs": [LABELLED], "sampling_params": {"max_tokens": 1}}
    ),
    "POST /api/v1/processor/twinkle/call": (
        {}, lambda mine: {"processor_id": mine.loader, "function": "__next__"},
    ),
    f"GET {_RUN}": _of_run("run_id"),
    f"GET {_RUN}/checkpoints": _of_run("run_id"),
    "GET /api/v1/twinkle/checkpoint_path/{run_id}/{checkpoint_id}": _of_run(
        "run_id", "checkpoint_id"
    ),
    "POST /api/v1/twinkle/weights_info": _by_weights("twinkle_path"),
    f"DELETE {_RUN}/checkpoints/{{checkpoint_id}}": _of_run("run_id", "checkpoint_id"),
}  # fmt: skip
