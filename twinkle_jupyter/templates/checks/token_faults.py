"""Faults that the tokens of a row show: nothing learned, no end learned, cut, begun twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.checks.fault import Finding
from twinkle_jupyter.templates.encoded_conversation import EncodedConversation


def find_token_faults(
    conversation: EncodedConversation, template: ChatTemplate, max_length: int | None
) -> Iterator[Finding]:
    """Yield what is wrong with the tokens of a row that is cut to `max_length` of them."""
    size = len(conversation.token_ids) if max_length is None else max_length
    yield from _find_mask_faults(conversation, template, size)
    yield from _find_id_faults(conversation, template)
    if conversation.unmatched:
        yield Finding(
            "prompt_text_differs",
            f"when the model is asked, its prompt goes on with {conversation.unmatched!r}, and this"
            " text does not; a prompt that begins the reasoning wants `reasoning_content` in each"
            " answer",
            excerpt=conversation.unmatched,
        )
    elif not conversation.prompts_match:
        yield Finding(
            "prompt_tokens_differ",
            "the tokens before the answer differ from those that the model reads when it is asked",
        )


def _find_mask_faults(
    conversation: EncodedConversation, template: ChatTemplate, max_length: int
) -> Iterator[Finding]:
    ids, weights = conversation.token_ids, conversation.weights
    learned = [i for i, weight in enumerate(weights) if weight]
    # The first token is never predicted, so it teaches nothing whatever its weight.
    if not any(0 < i < max_length for i in learned):
        yield Finding("no_supervised_token", _say_nothing_learned(learned, max_length))
    elif learned[-1] >= max_length:
        yield Finding(
            "answer_cut",
            f"the answer ends at token {learned[-1] + 1} and is cut at max_length={max_length},"
            " so its end is not learned",
            tokens=(max_length, learned[-1] + 1),
        )
    elif not any(ids[i] in template.stop_token_ids for i in learned):
        yield Finding(
            "no_stop_token",
            "no stop token is learned, so the model would never stop",
            tokens=(learned[-1], learned[-1] + 1),
        )


def _find_id_faults(conversation: EncodedConversation, template: ChatTemplate) -> Iterator[Finding]:
    ids, size = conversation.token_ids, template.vocabulary_size
    if template.bos_token_id is not None and ids[:2] == (template.bos_token_id,) * 2:
        yield Finding("doubled_bos", "the text begins with the begin token twice", tokens=(0, 2))
    if size is not None and max(ids, default=0) >= size:
        place = next(i for i, token_id in enumerate(ids) if token_id >= size)
        yield Finding(
            "outside_vocabulary",
            f"token {ids[place]} ({template.token_text(ids[place])!r}) is none of the model's"
            f" {size:,}",
            tokens=(place, place + 1),
        )
    if (unknown := template.unknown_token_id) is not None and unknown in ids:
        yield from _find_unknown(conversation, template, unknown)


def _find_unknown(
    conversation: EncodedConversation, template: ChatTemplate, unknown: int
) -> Iterator[Finding]:
    text, name = conversation.text, template.token_text(unknown)
    for place, (start, end) in enumerate(template.find_places(text)):
        # Some tokenizers name a token that templates write, too.
        if conversation.token_ids[place] == unknown and text[start:end] != name:
            sentence = (
                f"the tokenizer has no token for {text[start:end]!r}, and the model reads"
                f" {name!r} instead"
            )
            yield Finding(
                "unknown_token", sentence, tokens=(place, place + 1), excerpt=text[start:end]
            )
            return


def _say_nothing_learned(learned: Sequence[int], max_length: int) -> str:
    if not learned:
        return "no token of it is learned"
    return (
        f"no token is learned, since the answer begins at token {learned[0] + 1},"
        f" after max_length={max_length}"
    )
