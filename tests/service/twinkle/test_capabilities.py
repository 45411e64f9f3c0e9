"""What a service announces of its base models, and whose template follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.conftest import not_loaded, only_tiny
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.quotas import Quotas
from twinkle_jupyter.service.supported_models import announce
from twinkle_jupyter.service.twinkle.templates import read_template
from twinkle_jupyter.store.recent_row import RecentRows
from twinkle_jupyter.store.records import BaseModelRow
from twinkle_jupyter.store.sqlite import SqliteStore


async def test_the_template_is_said_then_announced_then_its_own(tmp_path: Path) -> None:
    config = ServiceConfig.load(
        home=tmp_path,
        base_model="tiny",
        supported_models=[
            "named",
            {"model_name": "bare", "template_init_model_id": "instruct", "note": "kept"},
        ],
    )
    store = SqliteStore.open(config.store_path)
    for name in ("bare", "other"):
        await store.put(BaseModelRow.key(name), BaseModelRow(name, "ready").to_row())
    quotas, recent = Quotas(store, config.limits), RecentRows(store)
    parts = ServiceParts(store, config, not_loaded, only_tiny, quotas, recent)
    assert await announce(parts) == [
        {"model_name": "named", "template_init_model_id": None},
        {"model_name": "bare", "template_init_model_id": "instruct", "note": "kept"},
        {"model_name": "other", "template_init_model_id": "other"},
        {"model_name": "tiny", "template_init_model_id": "tiny"},
    ]
    for base_model, said, expected in (
        ("bare", {}, "instruct"),
        ("bare", {"model_id": "bare"}, "instruct"),  # as the stock client says by itself
        ("bare", {"model_id": "ms://other"}, "other"),
        ("tiny", {}, "tiny"),
    ):
        read = await read_template(parts, base_model, "Template", said)
        assert read["model_id"] == expected, said
    with pytest.raises(InvalidConfigError, match=r"no base model of .*bare, other, tin"):
        await read_template(parts, "bare", "Template", {"model_id": "unknown"})
    await store.close()
