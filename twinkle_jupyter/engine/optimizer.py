"""AdamW over an adapter's flat buffers: one pass, and exactly `torch.optim.AdamW`'s arithmetic."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from twinkle_jupyter.engine.adapter_bank import AdapterSlot
from twinkle_jupyter.errors import InvalidConfigError, RunFailedError
from twinkle_jupyter.scheduling.request import AdamWSettings

#: What `torch.nn.utils.clip_grad_norm_` adds to the norm before dividing.
_CLIP_EPS = 1e-6
_NORM_BLOCK = 65_536


def step_adamw(slot: AdapterSlot, settings: AdamWSettings) -> float:
    """Take one step with the accumulated gradient, which is zero afterwards.

    The gradient is clipped as by `torch.nn.utils.clip_grad_norm_`, on the norm of the whole sum.

    Returns:
        Norm of the gradient before clipping.

    Raises:
        InvalidConfigError: A setting is out of range; nothing has changed.
        RunFailedError: The gradient is too large for its number type and was thrown away.

    Source:
        Loshchilov & Hutter 2019 (arXiv:1711.05101), algorithm 2.
    """
    check_adamw_settings(settings)
    gradient = slot.gradient
    norm = _scaled_norm(slot, settings)
    grad_norm = float(norm)
    if not math.isfinite(grad_norm):
        slot.set_gradient(None)
        raise RunFailedError(
            "The norm of the gradient is not a finite number; the optimizer step was not taken.",
            "A lower learning rate usually helps.",
        )
    if settings.gradient_scale != 1:
        gradient.mul_(settings.gradient_scale)
    if settings.grad_clip_norm > 0:
        gradient.mul_((settings.grad_clip_norm / (norm + _CLIP_EPS)).clamp(max=1.0))
    with torch.no_grad():
        adamw(
            [slot.parameters],
            [gradient],
            [slot.exp_avg],
            [slot.exp_avg_sq],
            [],
            # The kernel counts this one up itself.
            [torch.tensor(float(slot.step), device=gradient.device)],
            fused=True,
            amsgrad=False,
            maximize=False,
            lr=settings.learning_rate,
            beta1=settings.beta1,
            beta2=settings.beta2,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
        )
    slot.step += 1
    slot.set_gradient(None)
    return grad_norm


def measure_gradient(slot: AdapterSlot, settings: AdamWSettings) -> float:
    """Return the norm that a step with these settings would; nothing changes."""
    check_adamw_settings(settings)
    return float(_scaled_norm(slot, settings))


def discard_gradient(slot: AdapterSlot, settings: AdamWSettings) -> float:
    """Throw the gradient away; return its norm."""
    norm = measure_gradient(slot, settings)
    slot.set_gradient(None)
    return norm


def _scaled_norm(slot: AdapterSlot, settings: AdamWSettings) -> Tensor:
    norm = slot.gradient_norm if slot.gradient_norm is not None else compute_norm(slot.gradient)
    return norm * settings.gradient_scale


def compute_norm(gradient: Tensor) -> Tensor:
    """Return the Euclidean norm of (P,), without dimensions."""
    # In blocks: over tens of millions of numbers at once, torch's sum of squares in fp32 is off by
    # a part in a thousand on the CPU.
    blocks = torch.split(gradient, _NORM_BLOCK)
    norms = torch._foreach_norm(blocks)  # noqa: SLF001
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm


def check_adamw_settings(settings: AdamWSettings) -> None:
    """Refuse settings with which AdamW is not defined; the message names all of them."""
    wrong = [
        f"{name}={value:g}"
        for name, value, is_right in (
            ("learning_rate", settings.learning_rate, settings.learning_rate >= 0),
            ("beta1", settings.beta1, 0 <= settings.beta1 < 1),
            ("beta2", settings.beta2, 0 <= settings.beta2 < 1),
            ("eps", settings.eps, settings.eps >= 0),
            ("weight_decay", settings.weight_decay, settings.weight_decay >= 0),
            ("grad_clip_norm", settings.grad_clip_norm, settings.grad_clip_norm >= 0),
            ("gradient_scale", settings.gradient_scale, settings.gradient_scale >= 0),
        )
        if not (is_right and math.isfinite(value))
    ]
    if wrong:
        raise InvalidConfigError(
            f"AdamW has no meaning with {', '.join(wrong)}.",
            "Betas are at least 0 and below 1, all others at least 0.",
        )
