"""Learning to say what the examples say."""

from __future__ import annotations

from twinkle_jupyter.engine.losses.definition import Loss, LossInputs, LossValue


def _cross_entropy(inputs: LossInputs) -> LossValue:
    """-sum of w x logprob.

    It is linear in the log-probabilities, so that weights of -dC/dlogprob give the gradient of
    any function C of them.
    """
    return LossValue(-inputs.sum_by_row(inputs.weights * inputs.logprobs))


CROSS_ENTROPY = Loss(_cross_entropy)
