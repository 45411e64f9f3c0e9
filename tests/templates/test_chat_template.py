"""One renderer for training and sampling: the properties that make the two agree."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.loss_mask import LossMask

SHARED = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
HELLO = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I am Twinkle."}]
TWO_TURNS = [*HELLO, {"role": "user", "content": "2?"}, {"role": "assistant", "content": "two"}]
MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# As templates of reasoning models do, it writes a turn otherwise once it is no longer the last.
FORGETFUL = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if loop.last and message['role'] == 'assistant' %}{{ 'Hm.\\n' }}{% endif %}"
    "{{ message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, str]]:
    """One to three question-answer pairs, at times with a system message first."""
    # Two words never begin or end with white space, which only some templates keep.
    words = st.text(st.characters(codec="utf-8", exclude_characters="<|>"), min_size=1).map(
        lambda text: f"a{text}z"
    )
    turns = [
        {"role": role, "content": draw(words)}
        for _ in range(draw(st.integers(1, 3)))
        for role in ("user", "assistant")
    ]
    system = [{"role": "system", "content": draw(words)}] if draw(st.booleans()) else []
    return system + turns


def learned_text(
    template: ChatTemplate, messages: list[dict[str, str]], loss_mask: LossMask
) -> str:
    encoded = template.encode_conversation(messages, loss_mask)
    learned = [i for i, w in zip(encoded.token_ids, encoded.weights, strict=True) if w]
    return template.tokenizer.decode(learned, skip_special_tokens=False)


@SHARED
@given(messages=conversations())
def test_tokens_are_those_of_apply_chat_template(
    messages: list[dict[str, str]], template: ChatTemplate, tiny_model: Path
) -> None:
    reference = AutoTokenizer.from_pretrained(tiny_model)
    for with_prompt in (False, True):
        expected = reference.apply_chat_template(
            messages, add_generation_prompt=with_prompt, return_dict=False
        )
        got = (
            template.encode_prompt(messages)
            if with_prompt
            else template.encode_conversation(messages).token_ids
        )
        assert list(got) == expected


@SHARED
@given(messages=conversations(), loss_mask=st.sampled_from(["all-assistant", "last-assistant"]))
@pytest.mark.parametrize("source", [None, MARKED], ids=["by-prefix", "by-mark"])
def test_what_is_learned_is_what_the_assistant_says_and_its_stop_token(
    messages: list[dict[str, str]],
    loss_mask: str,
    source: str | None,
    template: ChatTemplate,
) -> None:
    if source:
        template = dataclasses.replace(template, source=source)
    answers = [m["content"] + "<|im_end|>" for m in messages if m["role"] == "assistant"]
    wanted = answers if loss_mask == "all-assistant" else answers[-1:]
    assert learned_text(template, messages, cast("LossMask", loss_mask)) == "".join(wanted)


@SHARED
@given(messages=conversations())
def test_the_prompt_of_each_answer_begins_the_training_tokens(
    messages: list[dict[str, str]], template: ChatTemplate
) -> None:
    encoded = template.encode_conversation(messages)
    for turn, message in enumerate(messages):
        if message["role"] == "assistant":
            prompt = template.encode_prompt(messages[:turn])
            assert encoded.token_ids[: len(prompt)] == prompt
    assert encoded.prompts_match


def test_the_end_of_a_turn_stops_an_answer(template: ChatTemplate, tiny_model: Path) -> None:
    reference = AutoTokenizer.from_pretrained(tiny_model)
    assert template.stop_token_ids == {reference.convert_tokens_to_ids("<|im_end|>")}
    assert template.bos_token_id == reference.bos_token_id
    assert template.decode(template.encode_prompt(HELLO[:1])) == "user\nWho?\nassistant\n"


def test_a_template_that_rewrites_history_is_refused_unless_the_last_answer_is_learned(
    template: ChatTemplate,
) -> None:
    forgetful = dataclasses.replace(template, source=FORGETFUL)
    with pytest.raises(InvalidDataError, match=r"message 2: the model's template writes") as caught:
        forgetful.encode_conversation(TWO_TURNS)
    assert "`--loss-mask last-assistant`" in caught.value.hint
    assert learned_text(forgetful, TWO_TURNS, "last-assistant") == "Hm.\ntwo<|im_end|>"


def test_what_a_template_refuses_is_said_in_its_own_words(template: ChatTemplate) -> None:
    strict = dataclasses.replace(
        template, source="{{ raise_exception('System role not supported') }}"
    )
    with pytest.raises(InvalidDataError, match=r"conversation: System role not supported\."):
        strict.encode_prompt(HELLO[:1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chat_template.jinja", r"has no chat template\."),
        ("tokenizer.json", r"^The tokenizer of base model `.*` cannot be read: "),
    ],
)
def test_a_folder_without_its_part_says_which(
    tiny_model: Path, tmp_path: Path, name: str, message: str
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(InvalidConfigError, match=message):
        ChatTemplate.load(folder)


def test_templates_load_no_torch(tiny_model: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from twinkle_jupyter.templates.chat_template import ChatTemplate;"
        "ChatTemplate.load(Path(sys.argv[1])).encode_prompt([{'role': 'user', 'content': 'x'}]);"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tiny_model)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
