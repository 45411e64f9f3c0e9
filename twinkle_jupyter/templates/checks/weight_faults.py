"""Faults of weights: what a message says of its own loss, and the run does not follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from twinkle_jupyter.templates.checks.fault import Finding
from twinkle_jupyter.templates.loss_mask import LossMask, find_learned_turns
from twinkle_jupyter.templates.message_form import WEIGHT, Messages


def find_unused_weights(messages: Messages, loss_mask: LossMask) -> Iterator[Finding]:
    """Yield each message whose weight is not the one that this mask learns it with."""
    turns: Mapping[int, float] = find_learned_turns(messages, loss_mask)
    if loss_mask == "all":
        turns = dict.fromkeys(range(len(messages)), 1.0)
    return compare_weights(messages, turns, "`--loss-mask custom` learns what weights say")


def compare_weights(
    messages: Messages, turns: Mapping[int, float], way_out: str
) -> Iterator[Finding]:
    """Yield each message whose weight is not the one that it is learned with.

    Args:
        messages: As the row has them.
        turns: Loss weight by message of what is learned.
        way_out: What follows its weight, or that nothing does.
    """
    for i, message in enumerate(messages):
        weight, learned = message.get(WEIGHT), turns.get(i, 0.0)
        if weight is None or weight == learned:
            continue
        what = f"with {learned:g}" if learned else "not at all"
        sentence = f"its `weight` is {weight}, and it would be learned {what}; {way_out}"
        yield Finding("weight_unused", sentence, i + 1, severity=None if weight else "refuse")
