"""Which tokens of a conversation are learned: what the assistant says, up to its stop token.

Where a template marks its own generations, the marks decide, but for what the prompt already says.
Elsewhere a turn is what the text gains when the turn is added to its prompt; that is only true of
templates that write a turn the same whatever follows, which is checked and never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.templates.message_form import WEIGHT, Messages

LossMask: TypeAlias = Literal["all-assistant", "last-assistant", "all", "custom"]


class PromptDiffersError(InvalidDataError):
    """The template writes an answer otherwise than its prompt begins, so no mask is certain."""


class Render(Protocol):
    """Conversation to text; `with_prompt` also opens the assistant's next turn."""

    def __call__(self, messages: Messages, *, with_prompt: bool = False) -> str:
        """Return the text."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of characters, or of tokens, that is learned: `start` up to before `end`."""

    start: int
    end: int
    #: Loss weight of each token in it.
    weight: float = 1.0


def find_learned_turns(messages: Messages, loss_mask: LossMask) -> dict[int, float]:
    """Return the indexes of the messages that are learned, with the loss weight of each.

    With `custom` a message's own `weight` decides; without one, an answer has 1 and all else 0.
    """
    turns = {i: 1.0 for i, message in enumerate(messages) if message["role"] == "assistant"}
    if loss_mask == "last-assistant":
        return dict(list(turns.items())[-1:])
    if loss_mask == "custom":
        turns |= {i: _weight_of(m) for i, m in enumerate(messages) if m.get(WEIGHT) is not None}
        return {i: weight for i, weight in sorted(turns.items()) if weight > 0}
    return turns


def find_turn_spans(
    messages: Messages,
    text: str,
    turns: Mapping[int, float],
    render: Render,
    end_of_text: str = "",
) -> list[Span]:
    """Return the characters of each turn: all that `text` has after its prompt, up to its end.

    Args:
        messages: The whole conversation.
        text: How the template writes it.
        turns: Loss weight by message.
        render: Writes a part of the conversation.
        end_of_text: What a template may write after a conversation, which no turn has in it.

    Raises:
        PromptDiffersError: The text of a prompt, or of the conversation up to a turn, is not how
            `text` begins: the template writes earlier turns otherwise once later ones follow.
    """
    spans = []
    for turn, weight in turns.items():
        is_answer = messages[turn]["role"] == "assistant"
        prompt = render(messages[:turn], with_prompt=is_answer) if turn else ""
        if not is_answer and end_of_text:
            prompt = prompt.removesuffix(end_of_text)
        # Nothing follows the last message, so its end needs no second rendering.
        whole = text if turn == len(messages) - 1 else render(messages[: turn + 1])
        if end_of_text and not text.startswith(whole):
            whole = whole.removesuffix(end_of_text)
        if not (text.startswith(prompt) and text.startswith(whole) and len(whole) > len(prompt)):
            raise PromptDiffersError(
                f"message {turn + 1}: the model's template writes this answer otherwise than the"
                " prompt before it leads to, so what to learn of it is not certain.",
                "Train on the last answer only, with `--loss-mask last-assistant`."
                if len(turns) > 1
                else "Use a base model with another template; of one whose prompt begins the"
                " reasoning, give each answer its `reasoning_content`.",
            )
        spans.append(Span(len(prompt), len(whole), weight))
    return spans


def choose_marked_spans(
    messages: Messages,
    text: str,
    turns: Mapping[int, float],
    marks: Sequence[Span],
    render: Render,
) -> list[Span]:
    """Return those of the template's own marks that lie in learned answers.

    A mark ends where the answer does. It begins where the prompt ends: a template may mark the
    role's header too, which the model is never asked for, or mark less than it has to say.
    """
    spans: list[Span] = []
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    for i, following in zip(answers, [*answers[1:], None], strict=True):
        if i not in turns:
            continue
        start = count_same(render(messages[:i], with_prompt=True), text)
        # Where the header of the next answer begins, and no mark of this one.
        end = len(text) if following is None else count_same(render(messages[:following]), text)
        inside = [m for m in marks if start < m.end and m.start < max(end, start + 1)]
        for number, mark in enumerate(inside):
            begin = max(mark.start, start) if number else start
            spans.append(Span(begin, mark.end, turns[i]))
    return spans


def count_same(beginning: str | tuple[int, ...], text: str | tuple[int, ...]) -> int:
    """Count the characters, or tokens, with which both begin."""
    if text[: len(beginning)] == beginning:
        return len(beginning)
    pairs = zip(beginning, text, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(text))


def weigh_tokens(
    token_ids: Sequence[int],
    spans: Sequence[Span],
    stop_token_ids: frozenset[int],
    is_blank: Callable[[Sequence[int]], bool],
) -> tuple[float, ...]:
    """Return (T,) weights: those of `spans` of tokens, but 0 for blanks after a stop token.

    Args:
        token_ids: (T,) the whole conversation.
        spans: Stretches of token positions.
        stop_token_ids: What ends an answer; learned, since else the model would never stop.
        is_blank: Whether these tokens are nothing but white space, like the newline that a
            template writes after the stop token and no model is ever asked for.
    """
    weights = [0.0] * len(token_ids)
    for span in spans:
        stops = [i for i in range(span.start, span.end) if token_ids[i] in stop_token_ids]
        end = span.end
        if stops and is_blank(token_ids[stops[-1] + 1 : span.end]):
            end = stops[-1] + 1
        weights[span.start : end] = [span.weight] * (end - span.start)
    return tuple(weights)


def _weight_of(message: Mapping[str, object]) -> float:
    weight = message[WEIGHT]
    return float(weight) if isinstance(weight, int | float) else 0.0
