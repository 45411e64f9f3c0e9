"""One adapter trained alone with what everybody has: PEFT, autograd, `torch.optim.AdamW`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from twinkle_jupyter.engine.base_model import DTYPES
from twinkle_jupyter.example import Example
from twinkle_jupyter.scheduling.request import AdamWSettings


@dataclass(frozen=True)
class PeftStep:
    """What one step gave."""

    loss_sum: float
    logprobs: tuple[tuple[float, ...], ...]
    gradients: dict[str, Tensor]
    grad_norm: float
    weights: dict[str, Tensor]


def load_plain_model(base_folder: Path, dtype: str) -> PreTrainedModel:
    """Load the base model as anybody would."""
    model = AutoModelForCausalLM.from_pretrained(
        base_folder, dtype=DTYPES[dtype], local_files_only=True
    )
    assert isinstance(model, PreTrainedModel)
    return model


def train_with_peft(
    model: PreTrainedModel,
    adapter_folder: Path,
    batches: Sequence[Sequence[Example]],
    settings: AdamWSettings,
) -> Iterator[PeftStep]:
    """Train the adapter in `adapter_folder` on each batch, row by row, with summed loss."""
    peft_model = PeftModel.from_pretrained(model, adapter_folder, is_trainable=True).eval()
    trained = {
        # PEFT writes the adapter's own name into the middle; its files leave it out.
        name.replace(".default.", "."): parameter
        for name, parameter in peft_model.named_parameters()
        if parameter.requires_grad
    }
    optimizer = torch.optim.AdamW(
        trained.values(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )
    for batch in batches:
        loss_sum = 0.0
        logprobs = []
        for example in batch:
            row = _row_logprobs(peft_model, example)
            loss = -(torch.tensor(example.weights, dtype=row.dtype) * row).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach())
            logprobs.append(
                tuple(
                    value if weight != 0 else 0.0
                    for value, weight in zip(row.tolist(), example.weights, strict=True)
                )
            )
        gradients = {
            name: parameter.grad.clone()
            for name, parameter in trained.items()
            if parameter.grad is not None
        }
        clip = settings.grad_clip_norm or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), clip)
        optimizer.step()
        optimizer.zero_grad()
        weights = {name: parameter.detach().clone() for name, parameter in trained.items()}
        yield PeftStep(loss_sum, tuple(logprobs), gradients, float(norm), weights)


def _row_logprobs(model: PeftModel, example: Example) -> Tensor:
    logits = model(input_ids=torch.tensor([example.tokens])).logits[0]
    targets = torch.tensor(example.targets)
    return torch.log_softmax(logits, dim=-1).gather(1, targets[:, None])[:, 0]


@contextmanager
def single_thread() -> Iterator[None]:
    """Tiny matmuls are slower on two threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
