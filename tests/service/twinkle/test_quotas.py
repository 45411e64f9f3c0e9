"""Passes and samples of the Twinkle protocol count towards what a user may have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.live_service import LiveService
from tests.service.twinkle.conftest import OTHER, ROW, TwinkleUser
from twinkle_jupyter.config.limits import Limits
from twinkle_jupyter.service.limit_book import LimitBook
from twinkle_jupyter.service.live_limits import LiveLimits
from twinkle_jupyter.service.quotas import Quotas


def book(quotas: Quotas, limits: Limits) -> LimitBook:
    """Return one of these limits."""
    return LimitBook(LiveLimits(quotas._store, limits))


@pytest.fixture
def quotas(live: LiveService) -> Iterator[Quotas]:
    quotas: Quotas = live.app.state.parts.quotas
    yield quotas
    quotas.book = book(quotas, Limits())


def test_a_row_too_long_is_refused_and_a_shorter_one_is_not(
    quotas: Quotas, ben: TwinkleUser
) -> None:
    ben.add()
    quotas.book = book(quotas, Limits(longest_input=4))
    answer = ben.model("forward_backward", inputs=[ROW])
    assert answer.status_code == 422
    assert "longest_input=4" in answer.json()["detail"]
    assert ben.result("forward_backward", inputs=[OTHER])["loss"] > 0
    refused = ben.sampler("sample", inputs=[ROW], sampling_params={"max_tokens": 1})
    assert refused.status_code == 422
    assert ben.model("forward_only", inputs=[ROW], disable_lora=True).status_code == 422


def test_what_is_read_and_written_counts_until_it_is_answered(
    live: LiveService, quotas: Quotas, ben: TwinkleUser
) -> None:
    ben.add()
    quotas.book = book(quotas, Limits(tokens_per_minute=20, queued_tokens=20))
    ben.result("forward_backward", inputs=[ROW])
    sampled = ben.sampler("sample", inputs=[ROW], sampling_params={"max_tokens": 6})
    assert sampled.status_code == 200, sampled.text
    written = len(sampled.json()["samples"][0]["sequences"][0]["tokens"])
    used = {one.name: one.used for one in live.call(quotas.usage("ben"))}
    assert (used["tokens_per_minute"], used["queued_tokens"]) == (2 * 5 + written, 0)
    many = ben.model("forward_backward", inputs=[ROW, ROW])
    assert many.status_code == 429
    assert "tokens_per_minute=20 is used up" in many.json()["detail"]
    assert "Retry-After" in many.headers
    # Nothing has happened: an op that was refused leaves no hole behind it.
    quotas.book = book(quotas, Limits())
    assert ben.result("forward_backward", inputs=[ROW])["loss"] > 0
