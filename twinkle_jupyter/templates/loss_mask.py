"""Which tokens of a conversation are learned: what the assistant says, up to its stop token.

Where a template marks its own generations, the marks decide. Elsewhere a turn is what the text
gains when the turn is added to its prompt; that is only true of templates that write a turn the
same whatever follows, which is checked and never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from twinkle_jupyter.errors import InvalidDataError

Messages: TypeAlias = Sequence[Mapping[str, str]]
LossMask: TypeAlias = Literal["all-assistant", "last-assistant"]


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


def find_learned_turns(messages: Messages, loss_mask: LossMask) -> list[int]:
    """Return the indexes of the messages that are learned."""
    turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    return turns[-1:] if loss_mask == "last-assistant" else turns


def find_turn_spans(
    messages: Messages, text: str, turns: Sequence[int], render: Render
) -> list[Span]:
    """Return the characters of each turn: all that `text` has after its prompt, up to its end.

    Raises:
        InvalidDataError: The text of a prompt, or of the conversation up to a turn, is not how
            `text` begins: the template writes earlier turns otherwise once later ones follow.
    """
    spans = []
    for turn in turns:
        prompt = render(messages[:turn], with_prompt=True)
        # Nothing follows the last message, so its end needs no second rendering.
        whole = text if turn == len(messages) - 1 else render(messages[: turn + 1])
        if not (text.startswith(prompt) and text.startswith(whole) and len(whole) > len(prompt)):
            raise InvalidDataError(
                f"message {turn + 1}: the model's template writes this answer otherwise than the"
                " prompt before it leads to, so what to learn of it is not certain.",
                "Train on the last answer only, with `--loss-mask last-assistant`."
                if len(turns) > 1
                else "Use a base model with another template.",
            )
        spans.append(Span(len(prompt), len(whole)))
    return spans


def choose_marked_spans(
    messages: Messages, text: str, turns: Sequence[int], marks: Sequence[Span], render: Render
) -> list[Span]:
    """Return those of the template's own marks that lie in one of the learned `turns`.

    Only whole conversations and the last turn are asked for, so that one border is enough.
    """
    if not marks or not turns:
        return []
    first = turns[0]
    if all(message["role"] != "assistant" for message in messages[:first]):
        return list(marks)
    prompt = render(messages[:first], with_prompt=True)
    if not text.startswith(prompt):
        return list(marks[-1:])
    return [mark for mark in marks if mark.start >= len(prompt)] or list(marks[-1:])


def weigh_tokens(
    token_ids: Sequence[int],
    spans: Sequence[Span],
    stop_token_ids: frozenset[int],
    is_blank: Callable[[Sequence[int]], bool],
) -> tuple[float, ...]:
    """Return (T,) weights: 1 in `spans` of tokens, but for blanks after a span's stop token.

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
        weights[span.start : end] = [1.0] * (end - span.start)
    return tuple(weights)
