"""The one renderer over every template that TRL ships: 72, of some twenty families of models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from hypothesis import HealthCheck, given, settings
from transformers import PreTrainedTokenizerFast

from tests.templates.sound_rows import (
    ASK,
    CALL,
    ONLY_REASONED,
    RESULT,
    SAY,
    Turn,
    sound_answers,
    writes_calls,
    writes_reasoning,
)
from tests.templates.trl_conversations import Conversation, conversations
from tests.templates.trl_templates import BOS, EOS, build_template, read_sources
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import RowEncoder
from twinkle_jupyter.templates.loss_mask import LossMask, PromptDiffersError
from twinkle_jupyter.templates.message_form import strip_reasoning

FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: Their prompts begin a reasoning that a plain answer has not got.
BEGIN_REASONING = ("deepseek", "nemotron")
#: They write an earlier answer otherwise than the last one.
REWRITE_HISTORY = {"gptoss", "qwen3", "qwen3_5_nothink", "qwen3_5_think", "qwen3_6"}


def templates() -> Iterator[tuple[str, ChatTemplate]]:
    return ((name, build_template(source)) for name, source in read_sources().items())


@cache
def reference(source: str) -> PreTrainedTokenizerFast:
    template = build_template(source)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=template.tokenizer, bos_token=BOS, eos_token=EOS
    )
    tokenizer.chat_template = source
    return tokenizer


def learned(template: ChatTemplate, messages: Conversation, loss_mask: LossMask) -> str:
    encoded = template.encode_conversation(messages, loss_mask)
    ids = [i for i, weight in zip(encoded.token_ids, encoded.weights, strict=True) if weight]
    return template.tokenizer.decode(ids, skip_special_tokens=False)


def is_certain(name: str, messages: Conversation) -> bool:
    """Tell, by hand and not by our code, whether this template's prompts begin its own text."""
    return not name.startswith(BEGIN_REASONING) and (
        name not in REWRITE_HISTORY or len(messages) == 2
    )


def test_all_of_them_are_there() -> None:
    sources = read_sources()
    assert len(sources) == 72
    assert sum(template.has_marks for _, template in templates()) == 34
    parts = {name.removesuffix("_training") for name, one in templates() if one.form.in_parts}
    assert parts == {"idefics3", "llava_next", "smolvlm"}


@FEW
@given(messages=conversations())
def test_tokens_are_those_of_apply_chat_template(messages: Conversation) -> None:
    for name, template in templates():
        for given_messages, with_prompt in ((messages, False), (messages[:-1], True)):
            expected = reference(template.source).apply_chat_template(
                template.form.shape(given_messages),  # type: ignore[arg-type]
                add_generation_prompt=with_prompt,
                return_dict=False,
            )
            if with_prompt:
                assert list(template.encode_prompt(given_messages)) == expected, name
            else:
                text = template.render(given_messages)
                assert list(template.tokenizer.encode(text, add_special_tokens=False).ids) == (
                    expected
                ), name


@FEW
@given(messages=conversations())
def test_an_answer_is_learned_to_its_stop_token_and_nothing_else_is(messages: Conversation) -> None:
    for name, template in templates():
        if not is_certain(name, messages):
            continue
        text = learned(template, messages, "last-assistant")
        answer = str(messages[-1]["content"])
        before, found, after = text.rpartition(answer)
        assert found, name
        assert before.strip() in {
            *("", "<think>\n\n</think>", "</think>", "<think></think>"),
            *("to=user<|message|>", "<|channel|>final<|message|>"),
        }, name
        ends = [template.token_text(i) for i in template.stop_token_ids]
        assert after.startswith(tuple(ends) or ""), name
        assert bool(ends) is (name != "glm4moe")


@FEW
@given(messages=conversations())
def test_all_answers_are_what_each_of_them_is_when_it_is_the_last(messages: Conversation) -> None:
    for name, template in templates():
        if not is_certain(name, messages) or name in {"gptoss_training", "phi3", "phi3_5"}:
            continue  # of these three the last one ends otherwise than those before it
        ends = [end for end, one in enumerate(messages, start=1) if one["role"] == "assistant"]
        each = [learned(template, messages[:end], "last-assistant") for end in ends]
        if name.startswith("phi3"):
            each = [*(one.removesuffix(EOS) for one in each[:-1]), each[-1]]
        assert learned(template, messages, "all-assistant") == "".join(each), name


@FEW
@given(messages=conversations())
def test_the_prompt_of_each_answer_begins_the_training_tokens(messages: Conversation) -> None:
    for name, template in templates():
        if not is_certain(name, messages):
            continue
        encoded = template.encode_conversation(messages)
        assert encoded.unmatched == "", name
        lengths = []
        for turn in range(1, len(messages), 2):
            prompt = template.encode_prompt(messages[:turn])
            lengths.append(len(prompt))
            if encoded.prompts_match:
                assert encoded.token_ids[: len(prompt)] == prompt, name
        assert not any(encoded.weights[: lengths[0]]), name


@FEW
@given(messages=conversations(max_turns=1))
def test_a_twin_with_marks_learns_what_the_original_does(messages: Conversation) -> None:
    sources = read_sources()
    twins = [name for name in sources if f"{name}_training" in sources]
    assert len(twins) == 31
    for name in twins:
        if not is_certain(name, messages) or name == "glm4moe":
            continue  # the twin of glm4moe adds the stop token that the original lacks
        plain, marked = (build_template(sources[one]) for one in (name, f"{name}_training"))
        if plain.render(messages) == marked.render(messages):
            # White space between two stop tokens is marked by some and not by others.
            texts = (learned(one, messages, "all-assistant") for one in (plain, marked))
            assert len({"".join(text.split()) for text in texts}) == 1, name


def test_calls_and_reasoning_are_learned_and_results_are_not() -> None:
    calling = reasoned = 0
    for name, template in templates():
        answer: Turn = {**sound_answers(name)[0], "reasoning_content": "Let me see."}
        if writes_calls(name):
            calling += 1
            call = {**CALL, "reasoning_content": "Hm."} if name.startswith(ONLY_REASONED) else CALL
            assert "look" in learned(template, [ASK, call], "all-assistant"), name
            row = [ASK, call, RESULT, answer if name.startswith(ONLY_REASONED) else SAY]
            text = learned(template, row, "last-assistant")
            assert ("look" in text, "Seen." in text) == (False, False), name
            assert "I am Twinkle." in text, name
        if writes_reasoning(name):
            reasoned += 1
            assert "Let me see." in learned(template, [ASK, answer], "all-assistant"), name
            (stripped,) = strip_reasoning([answer])
            assert "reasoning_content" not in stripped
    assert (calling, reasoned) == (44, 27)


def test_what_ends_a_call_ends_an_answer() -> None:
    sources = read_sources()
    ends = {
        name: {build_template(sources[name]).token_text(i) for i in one.stop_token_ids}
        for name, one in templates()
    }
    assert ends["gptoss"] == {"<|return|>", "<|call|>"}
    assert ends["gemma4"] == {"<turn|>", "<|tool_response>"}
    assert ends["qwen3"] == {"<|im_end|>"}
    assert ends["llava_next"] == {"</s>"}


@FEW
@given(messages=conversations())
def test_a_prompt_that_the_text_does_not_begin_with_is_always_refused(
    messages: Conversation,
) -> None:
    for name, template in templates():
        _, findings = RowEncoder(template, "all-assistant", 8192).encode({"messages": messages})
        is_refused = any(finding.code == "prompt_text_differs" for finding in findings)
        assert is_refused is not is_certain(name, messages), name
        if is_refused and not template.has_marks:
            try:
                template.encode_conversation(messages)
            except PromptDiffersError:
                continue
            raise AssertionError(name)
