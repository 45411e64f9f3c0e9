"""`POST /tokens` over a real tokenizer, and answers of a step's checkpoint by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.live_service import RECORDS, LiveService
from tests.tool_templates import TAGGED
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import NotFoundError, TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    OptimStep,
)
from twinkle_jupyter.service.adapters import get_adapter_run
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import RowEncoder
from twinkle_jupyter.templates.message_form import Messages

MESSAGES = [
    {"role": "user", "content": "Who are you?"},
    {"role": "assistant", "content": "I am Twinkle."},
    {"role": "user", "content": "And your name?"},
    {"role": "assistant", "content": "Twinkle."},
]


@pytest.fixture(scope="module")
def service(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LiveService, Client]]:
    home = tmp_path_factory.mktemp("service")
    with (
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        with LiveService(home, model=tiny_model) as live, Client(live.connection) as client:
            yield live, client


def test_a_row_comes_as_tokens_and_the_rule_changes_what_is_learned(
    service: tuple[LiveService, Client],
) -> None:
    client = service[1]
    every = client.view_tokens({"messages": MESSAGES})
    last = client.view_tokens(
        {"messages": MESSAGES, "loss_mask": "last-assistant", "max_length": 4096}
    )
    tokens = every.tokens
    assert len({len(column) for _, column in tokens if column}) == 1
    learned = "".join(
        text for text, weight in zip(tokens.text, tokens.weight, strict=True) if weight
    )
    assert learned == "I am Twinkle.<|im_end|>Twinkle.<|im_end|>"
    assert 0 < last.num_learned < every.num_learned
    roles = [role for i, role in enumerate(tokens.role) if i == 0 or tokens.role[i - 1] != role]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert "last-assistant" in every.loss_masks
    cut = client.view_tokens({"messages": MESSAGES, "max_length": 5})
    assert (cut.num_learned, len(cut.tokens.id)) == (0, len(tokens.id))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"loss_mask": "mine"}, "`loss_mask=mine` is no rule"),
        ({"max_length": 0}, "max_length"),
        ({"messages": []}, "messages"),
        ({"reasoning": "hide"}, "reasoning"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    service: tuple[LiveService, Client], asked: dict[str, object], said: str
) -> None:
    with pytest.raises(TwinkleError, match=said):
        service[1].view_tokens({"messages": MESSAGES, **asked})


def test_functions_and_reasoning_are_read_as_a_run_reads_them(
    service: tuple[LiveService, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    live, client = service
    assert live.compute is not None
    source = f"{TAGGED}{{% for m in messages if m.reasoning_content %}}Hm.{{% endfor %}}"
    template = dataclasses.replace(ChatTemplate.load(live.model_folder), source=source)
    monkeypatch.setattr(live, "compute", dataclasses.replace(live.compute, template=template))
    tool = {"type": "function", "function": {"name": "look"}}
    thought = {**MESSAGES[1], "reasoning_content": "I ask."}
    record: dict[str, Messages] = {"messages": [MESSAGES[0], thought], "tools": [tool]}
    run = RowEncoder(template, "all-assistant", None, "strip").encode(record)[0]
    assert run is not None

    view = client.view_tokens({**record, "reasoning": "strip"})

    assert (view.tokens.id, view.tokens.weight) == (run.token_ids, run.weights)
    kept = "".join(client.view_tokens(record).tokens.text)
    assert (kept.count('"name": "look"'), kept.count("Hm."), run.text.count("Hm.")) == (1, 1, 0)


def test_tokens_come_with_how_likely_they_are_before_and_after(
    service: tuple[LiveService, Client], tmp_path: Path
) -> None:
    live, client = service
    config = RunConfig(adapter="taught", base_model="tiny")
    client.start_run(config, RECORDS)
    assert live.compute is not None
    row = live.call(get_adapter_run(live.store, "anna", "taught"))
    assert row is not None
    asked: dict[str, object] = {"messages": MESSAGES, "adapter": "taught"}
    trainer, key = live.compute.trainer, row.adapter_id
    live.call(trainer.create_adapter(key, AdapterSpec(rank=4, alpha=8.0)))
    untaught = client.view_tokens(asked)
    ids, size = untaught.tokens.id, len(untaught.tokens.id)
    # A new adapter says what the base model says.
    assert untaught.adapter == "taught"
    assert untaught.tokens.logprob[0] is untaught.tokens.base_logprob[0] is None
    assert untaught.tokens.logprob[1:] == pytest.approx(untaught.tokens.base_logprob[1:], abs=1e-5)
    example = Example.from_sequence(ids, (1.0,) * size)
    passed = live.call(trainer.forward_backward(ForwardBackward(key, 1, (example,))))
    assert untaught.tokens.base_logprob[1:] == pytest.approx(passed.logprobs[0], abs=1e-4)
    live.call(trainer.optim_step(OptimStep(key, 2, AdamWSettings(learning_rate=1e-2))))

    taught = client.view_tokens({**asked, "max_length": size - 3})

    assert taught.tokens.base_logprob[1 : size - 3] == pytest.approx(
        untaught.tokens.base_logprob[1 : size - 3], abs=1e-5
    )
    assert taught.tokens.logprob[-3:] == taught.tokens.base_logprob[-3:] == (None,) * 3
    gains = [
        after - before
        for after, before in zip(taught.tokens.logprob, taught.tokens.base_logprob, strict=True)
        if after is not None and before is not None
    ]
    assert sum(gains) > 1
    base = client.view_tokens({"messages": MESSAGES, "adapter": "base"})
    assert (base.adapter, base.tokens.logprob, len(base.tokens.base_logprob)) == ("", (), size)
    with pytest.raises(NotFoundError, match="nobody"):
        client.view_tokens({**asked, "adapter": "nobody"})
    with pytest.raises(TwinkleError, match="`base_model=other` is not that of adapter 'taught'"):
        client.view_tokens({**asked, "base_model": "other"})


@pytest.mark.parametrize("step", ["40", "fast"])
def test_an_adapter_at_a_step_without_a_checkpoint_says_so(
    service: tuple[LiveService, Client], step: str
) -> None:
    live, client = service
    config = RunConfig(adapter=f"at-{step}", base_model="tiny", steps=9)
    run = client.start_run(config, RECORDS)
    live.change(run.run_id, checkpoint="step-000009")
    with pytest.raises(NotFoundError, match=rf"step {step}|names no step"):
        list(client.sample(f"at-{step}@{step}", MESSAGES[:1]))
