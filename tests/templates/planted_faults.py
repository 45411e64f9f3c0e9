"""Every fault of the list, planted into sound rows of each template that TRL ships.

A plant changes the template, the row or the run's settings as people do it by mistake, and returns
None where a template leaves no room for the mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

from tests.templates.fault_case import Case
from tests.templates.sound_rows import (
    ASK,
    ASK_MORE,
    BE,
    ONLY_REASONED,
    SAY,
    TOOL,
    Turn,
    Turns,
    sound_answers,
)
from tests.templates.trl_templates import EOS, build_tokenizer
from twinkle_jupyter.templates.chat_template import ChatTemplate

_GENERATION = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
_SEEN_IN_TEXT = {"empty_answer", "special_in_text", "duplicate_row", "eval_in_train"}
_SEEN_IN_TEXT |= {"prompt_text_differs", "roles_refused", "template_refuses", "weight_unused"}
_BEFORE = (
    "{% if mistake == 'begins twice' %}{{ bos_token ~ bos_token }}{% endif %}"
    "{% if mistake == 'drops the system' %}"
    "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}{% endif %}"
    "{% if mistake == 'drops the oldest' and messages|length > 2 %}"
    "{% set messages = messages[2:] %}{% endif %}"
    "{% if mistake == 'drops the functions' %}{% set tools = none %}{% endif %}"
    "{% if mistake == 'two only' and messages|length > 2 %}{{ raise_exception('No') }}{% endif %}"
    "{% for m in messages if mistake == 'alternates' %}"
    "{% if loop.previtem and loop.previtem.role == m.role %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{% endfor %}"
)
_AFTER = "{% if mistake == 'goes on' and add_generation_prompt %}{{ '<hm>' }}{% endif %}"


@dataclass(frozen=True)
class Plant:
    """One mistake."""

    code: str
    severity: Literal["refuse", "warn"]
    make: Callable[[str, ChatTemplate], Case | None]

    @property
    def needs_tokens(self) -> bool:
        """Whether it can only be seen in a row that the template writes."""
        return self.code not in _SEEN_IN_TEXT


def _plant(template: ChatTemplate, mistake: str) -> ChatTemplate:
    """Return the template with one of the mistakes in it; one source for all, compiled once."""
    source = _BEFORE + template.source.removesuffix("\n") + _AFTER
    special = {**template.special_tokens, "mistake": mistake}
    return replace(template, source=source, special_tokens=special)


def _with_source(template: ChatTemplate, source: str) -> ChatTemplate:
    return replace(template, source=source)


def _without_marks(template: ChatTemplate) -> str:
    return _GENERATION.sub("", template.source)


def _cut_before_the_answer(name: str, template: ChatTemplate) -> Case:
    row = [ASK, sound_answers(name)[0]]
    return Case(template, [row], max_length=_learned(template, row)[0])


def _learned(template: ChatTemplate, row: Turns) -> list[int]:
    return [i for i, weight in enumerate(template.encode_conversation(row).weights) if weight]


def _mark_nothing(name: str, template: ChatTemplate) -> Case:
    source = _without_marks(template) + "{% generation %}{% endgeneration %}"
    return Case(_with_source(template, source), [[ASK, sound_answers(name)[0]]])


def _take_another_stop(name: str, template: ChatTemplate) -> Case:
    unused = template.encode_text("<|endoftext|>")
    row = [ASK, sound_answers(name)[0]]
    return Case(replace(template, stop_token_ids=frozenset(unused)), [row])


def _begin_twice(name: str, template: ChatTemplate) -> Case:
    return Case(_plant(template, "begins twice"), [[ASK, sound_answers(name)[0]]])


def _cut_the_answer(name: str, template: ChatTemplate) -> Case:
    row = [ASK, sound_answers(name)[0]]
    return Case(template, [row], max_length=_learned(template, row)[-1])


def _drop_the_system(name: str, template: ChatTemplate) -> Case:
    return Case(_plant(template, "drops the system"), [[BE, ASK, sound_answers(name)[0]]])


def _drop_the_oldest(name: str, template: ChatTemplate) -> Case:
    say, say_more = sound_answers(name)
    row = [ASK, say, ASK_MORE, say_more]
    return Case(_plant(template, "drops the oldest"), [row], "last-assistant")


def _drop_the_functions(name: str, template: ChatTemplate) -> Case:
    row = [ASK, sound_answers(name)[0]]
    return Case(_plant(template, "drops the functions"), [row], tools=(TOOL,))


def _say_nothing(name: str, template: ChatTemplate) -> Case:
    return Case(template, [[ASK, {**sound_answers(name)[0], "content": " "}]])


def _prompt_otherwise(name: str, template: ChatTemplate) -> Case:
    return Case(_plant(template, "goes on"), [[ASK, sound_answers(name)[0]]])


def _melt(name: str, template: ChatTemplate) -> Case | None:
    """Have the last character of the prompt be one token with the first of the answer."""
    row = [ASK, sound_answers(name)[0]]
    prompt, text = template.render(row[:1], with_prompt=True), template.render(row)
    ends_in_mark = template.encode_prompt(row[:1])[-1] in template.special_token_ids
    begins_with_mark = text[len(prompt) : len(prompt) + 1] in "<"
    if ends_in_mark or begins_with_mark or not text.startswith(prompt):
        return None
    tokenizer: Tokenizer = build_tokenizer(template.source)
    both = text[len(prompt) - 1 : len(prompt) + 1]
    tokenizer.add_tokens([AddedToken(both, special=False, normalized=False)])
    return Case(replace(template, tokenizer=tokenizer), [row])


def _mark_everything(name: str, template: ChatTemplate) -> Case:
    say, say_more = sound_answers(name)
    source = "{% generation %}" + _without_marks(template) + "{% endgeneration %}"
    return Case(_with_source(template, source), [[ASK, say, ASK_MORE, say_more]])


def _ask_twice(name: str, template: ChatTemplate) -> Case:
    return Case(_plant(template, "alternates"), [[ASK, ASK_MORE, sound_answers(name)[0]]])


def _refuse(name: str, template: ChatTemplate) -> Case:
    say, say_more = sound_answers(name)
    row = [ASK, say, ASK_MORE, say_more]
    return Case(_plant(template, "two only"), [row], "last-assistant")


def _strip_reasoning(name: str, template: ChatTemplate) -> Case | None:
    unread = replace(template, form=replace(template.form, reasoning_field="unread"))
    row = [ASK, {**SAY, "reasoning_content": "Let me see."}]
    # Without it, the answer of some does not follow their prompt, and they are refused for that.
    is_written = template.has_marks or not name.startswith(ONLY_REASONED)
    return Case(unread, [row]) if is_written else None


def _shrink(name: str, template: ChatTemplate) -> Case:
    row = [ASK, sound_answers(name)[0]]
    size = max(template.tokenizer.encode(template.render(row)).ids)
    return Case(replace(template, vocabulary_size=size), [row])


def _write_unknown(name: str, template: ChatTemplate) -> Case | None:
    row = [{**ASK, "content": "Who? \U0001f99c"}, sound_answers(name)[0]]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106 - of the vocabulary
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    trainer = trainers.BpeTrainer(special_tokens=["<unk>", EOS], show_progress=False)
    tokenizer.train_from_iterator([template.render(row).replace("\U0001f99c", "")], trainer)
    return Case(replace(template, tokenizer=tokenizer), [row])


def _repeat(name: str, template: ChatTemplate) -> Case:
    say, say_more = sound_answers(name)
    return Case(template, [[ASK, say], [ASK_MORE, say_more], [ASK, say]])


def _keep_what_is_trained_on(name: str, template: ChatTemplate) -> Case:
    return replace(_repeat(name, template), evaluation=(2,))


def _type_a_mark(name: str, template: ChatTemplate) -> Case:
    mark = (
        template.token_text(min(template.stop_token_ids, default=-1))
        if (template.stop_token_ids)
        else EOS
    )
    row = [{**ASK, "content": f"What is {mark}?"}, sound_answers(name)[0]]
    return Case(template, [row])


def longer_answer(name: str) -> Turn:
    say = sound_answers(name)[0]
    return {**say, "content": f"{say['content']} And that is all there is to it."}


def _prefer_nothing(name: str, template: ChatTemplate) -> Case:
    say = sound_answers(name)[0]
    return Case(template, [[ASK]], answers=([say], [dict(say)]))


def _cut_the_rejected(name: str, template: ChatTemplate) -> Case:
    say, longer = sound_answers(name)[0], longer_answer(name)
    room = len(template.encode_conversation([ASK, say]).token_ids)
    return Case(template, [[ASK]], max_length=room, answers=([say], [longer]))


def _weigh(name: str, template: ChatTemplate, weight: float) -> Case:
    return Case(template, [[ASK, {**sound_answers(name)[0], "weight": weight}]])


PLANTS = (
    Plant("no_supervised_token", "refuse", _cut_before_the_answer),
    Plant("no_supervised_token", "refuse", _mark_nothing),
    Plant("answer_outside_mask", "refuse", _mark_nothing),
    Plant("no_stop_token", "refuse", _take_another_stop),
    Plant("doubled_bos", "refuse", _begin_twice),
    Plant("answer_cut", "warn", _cut_the_answer),
    Plant("system_dropped", "refuse", _drop_the_system),
    Plant("message_dropped", "refuse", _drop_the_oldest),
    Plant("tools_dropped", "refuse", _drop_the_functions),
    Plant("empty_answer", "refuse", _say_nothing),
    Plant("prompt_text_differs", "refuse", _prompt_otherwise),
    Plant("prompt_tokens_differ", "warn", _melt),
    Plant("mask_on_prompt", "refuse", _mark_everything),
    Plant("roles_refused", "refuse", _ask_twice),
    Plant("template_refuses", "refuse", _refuse),
    Plant("reasoning_stripped", "refuse", _strip_reasoning),
    Plant("outside_vocabulary", "refuse", _shrink),
    Plant("unknown_token", "warn", _write_unknown),
    Plant("equal_answers", "refuse", _prefer_nothing),
    Plant("answer_cut", "refuse", _cut_the_rejected),
    Plant("duplicate_row", "warn", _repeat),
    Plant("eval_in_train", "warn", _keep_what_is_trained_on),
    Plant("weight_unused", "refuse", partial(_weigh, weight=0)),
    Plant("weight_unused", "warn", partial(_weigh, weight=2)),
    Plant("special_in_text", "warn", _type_a_mark),
)
