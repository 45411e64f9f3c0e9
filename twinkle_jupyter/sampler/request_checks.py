"""What is refused before any token is computed, whichever engine would answer."""

from __future__ import annotations

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.sampler.interface import SampleRequest
from twinkle_jupyter.sampler.token_choice import check_sampling_settings


def check_request(request: SampleRequest, num_input_tokens: int, max_positions: int | None) -> int:
    """Return how many tokens the answer may have.

    Args:
        request: What is asked.
        num_input_tokens: Token ids that the base model has.
        max_positions: Tokens that it reads, the answer included; None for any number.

    Raises:
        InvalidConfigError: The settings allow no token.
        InvalidDataError: The prompt is empty, too long or has unknown ids.
    """
    check_sampling_settings(request.settings)
    prompt = request.prompt
    if not prompt:
        raise InvalidDataError("The prompt has no tokens.")
    if max_positions is not None and len(prompt) >= max_positions:
        raise InvalidDataError(
            f"The prompt has {len(prompt)} tokens; the base model reads {max_positions}, the answer"
            " included."
        )
    unknown = [token for token in prompt if not 0 <= token < num_input_tokens]
    if unknown:
        raise InvalidDataError(
            f"The prompt has token id {unknown[0]}, which the base model does not have."
        )
    targets = request.prompt_targets
    if targets and len(targets) != len(prompt) - 1:
        raise InvalidDataError(
            f"There are {len(targets)} rows of tokens to score for a prompt of {len(prompt)}"
            " tokens; there is one for each token after the first."
        )
    wrong = [t for row in targets for t in row if not -1 <= t < num_input_tokens]
    if wrong:
        raise InvalidDataError(
            f"A token to score has id {wrong[0]}, which the base model does not have."
        )
    biased = [t for t, _ in request.settings.logit_bias if not 0 <= t < num_input_tokens]
    if biased:
        raise InvalidDataError(
            f"logit_bias has token id {biased[0]}, which the base model does not have."
        )
    max_tokens = request.settings.max_tokens
    return max_tokens if max_positions is None else min(max_tokens, max_positions - len(prompt))
