"""What nobody sends by mistake: no name becomes a path, no value an accident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.live_service import RECORDS, LiveService
from tests.service.conftest import Service
from tests.service.twinkle.conftest import ROW, TwinkleUser
from twinkle_jupyter.service.auth import create_key, list_keys, revoke_key

_NAMES = ["..", "../../x", "/etc/passwd", "a\x00b", "a/b", "", ".", "x" * 5000, "\u202e", "~root"]
_VALUES = [-1, 0, 2**63, 10**30, 1.5, 1e300, "x", None, True, [], {}, [[[]]], [{"a": [None]}]]
#: Fields of bodies that take a value of any kind, by route of an adapter.
_FIELDS = {
    "forward_backward": ("inputs", "advantages", "old_logps", "gradient_accumulation_steps"),
    "forward_only": ("inputs", "disable_lora"),
    "clip_grad_norm": ("max_grad_norm", "norm_type", "gradient_accumulation_steps"),
    "step": ("gradient_accumulation_steps", "optim_params"),
    "set_optimizer": ("lr", "betas", "eps", "optimizer_cls"),
    "set_loss": ("loss_cls", "epsilon", "reduction"),
    "set_template": ("template_cls", "max_length", "truncation_strategy", "model_id"),
    "add_metric": ("metric_cls", "is_training"),
    "add_adapter_to_model": ("config", "seed", "gradient_accumulation_steps", "save_dir"),
    "save": ("name", "consumed_train_samples", "is_sampler"),
    "load": ("name", "load_optimizer"),
}
_WHOLE: dict[str, object] = {
    "inputs": [ROW],
    "optimizer_cls": "AdamW",
    "loss_cls": "CrossEntropyLoss",
    "template_cls": "Template",
    "metric_cls": "LossMetric",
    "config": {"r": 4, "lora_alpha": 8},
}


@pytest.fixture
def mallory(live: LiveService) -> Iterator[TwinkleUser]:
    """Somebody whose many objects are in nobody else's way."""
    headers = {"X-API-Key": live.call(create_key(live.store, "mallory"))}
    with httpx.Client(base_url=live.connection.url, headers=headers, timeout=60) as http:
        user = TwinkleUser(http)
        user.begin()
        yield user


def _files_beside(live: LiveService) -> set[Path]:
    home = live.config.home
    return {path for path in home.parent.rglob("*") if not path.is_relative_to(home)}


def _is_told(answer: httpx.Response) -> None:
    """Whatever is refused is refused in a sentence."""
    assert answer.status_code < 500, (answer.request.url, answer.request.content, answer.text)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"detail"}, answer.text
        assert answer.json()["detail"].rstrip("`")[-1:] in ".!?", answer.text


@pytest.mark.parametrize("name", _NAMES, ids=lambda name: repr(name)[:15])
def test_no_name_in_a_body_becomes_a_path(
    live: LiveService, mallory: TwinkleUser, name: str
) -> None:
    before = _files_beside(live)
    mallory.add()
    for answer in (
        mallory.model("add_adapter_to_model", name, config={"r": 4}),
        mallory.model("add_adapter_to_model", config={"r": 4}, save_dir=name),
        mallory.model("set_template", template_cls="Template", model_id=name or "x"),
        mallory.model("load", name=name),
        mallory.model("resume_from_checkpoint", name=f"twinkle://{name}/weights/{name}"),
        mallory.model("upload_to_hub", checkpoint_dir=name, hub_model_id=name),
        mallory.gateway("session_heartbeat", session_id=name),
        mallory.gateway("weights_info", twinkle_path=name),
        mallory.gateway("weights_info", twinkle_path=f"twinkle://{mallory.session}-a/weights/{name}"),
        mallory.sampler("sample", inputs=[ROW], adapter_uri=name or "x"),
        mallory.sampler("sample", inputs=[ROW], adapter_name=name or "x"),
        mallory.processor("call", processor_id=name, function="__next__"),
        mallory.processor("create", processor_type="dataset", class_type="Dataset",
                       dataset_meta={"dataset_id": name}),
        mallory.processor("create", processor_type=name, class_type=name),
    ):  # fmt: skip
        assert 400 <= answer.status_code < 500, (answer.request.content, answer.text)
        _is_told(answer)
    # A checkpoint's name is made one, or refused; that of a header names nobody's session.
    _is_told(mallory.model("save", name=name))
    if name.isprintable() and name.isascii():
        headers = {"X-Twinkle-Session-Id": name}
        body = {"adapter_name": "a", "config": {"r": 4}}
        url = "/api/v1/model/tiny/twinkle/add_adapter_to_model"
        assert mallory.http.post(url, json=body, headers=headers).status_code in (404, 422)
    assert _files_beside(live) == before


def test_no_value_is_an_accident(mallory: TwinkleUser) -> None:
    for value in _VALUES:
        mallory.begin()
        mallory.add()
        for route, fields in _FIELDS.items():
            for field in fields:
                _is_told(mallory.model(route, **{**_WHOLE, field: value}))  # type: ignore[arg-type]
        for field in ("max_tokens", "num_samples", "seed", "stop", "logprobs", "top_k", "top_p"):
            params = {"max_tokens": 1, field: 3 if value in (2**63, 10**30) else value}
            _is_told(mallory.sampler("sample", inputs=[ROW], sampling_params=params))
        for inputs in (value, [value], [{"input_ids": value}], [{"messages": value}]):
            params = {"max_tokens": 1}
            _is_told(mallory.sampler("sample", inputs=inputs, sampling_params=params))
            _is_told(mallory.model("forward_only", inputs=inputs))
    data = mallory.processor(
        "create", processor_type="dataset", class_type="Dataset", dataset_meta={"data": RECORDS}
    )
    loader = {"processor_type": "dataloader", "class_type": "DataLoader"}
    whole = {**loader, "dataset": data.json()["processor_id"], "batch_size": 1}
    for value in _VALUES:
        for field in ("dataset", "batch_size", "seed", "shuffle"):
            _is_told(mallory.processor("create", **{**whole, field: value}))


async def test_a_folder_is_no_base_model_where_others_have_keys(
    service: Service, tmp_path: Path
) -> None:
    async def ask() -> list[httpx.Response]:
        sample = {"inputs": [ROW]}
        paths = {
            "model/%/twinkle/create": {},
            "sampler/%/twinkle/create": {},
            "sampler/%/twinkle/sample": sample,
            "sampler/%/twinkle/sample_stream": sample,
        }
        return [
            await service.anna.post("/api/v1/" + path.replace("%", str(tmp_path)), json=body)
            for path, body in paths.items()
        ]

    for answer in await ask():
        assert answer.status_code == 404, answer.text
        assert "is a folder, and others use this service, too." in answer.json()["detail"]
    [ben] = await list_keys(service.store, "ben")
    await revoke_key(service.store, ben.key_id)
    for answer in await ask():
        assert answer.status_code == 404
        assert "There is no base model" in answer.json()["detail"], "the folder was looked at"
