"""One adapter trained alone with what everybody has: PEFT, autograd, `torch.optim.AdamW`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from tests.reference.naive_losses import naive_loss
from twinkle_jupyter.engine.base_model import DTYPES
from twinkle_jupyter.example import Example
from twinkle_jupyter.scheduling.request import AdamWSettings, AdapterSpec

#: PEFT 0.21 calls what transformers 5.24 renames.
PEFT_WARNINGS = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning"),
]


@dataclass(frozen=True)
class Trainee:
    """An adapter and how it is trained."""

    spec: AdapterSpec
    settings: AdamWSettings = field(default_factory=lambda: AdamWSettings(5e-3))
    loss: str = "cross_entropy"
    loss_settings: Mapping[str, float] = field(default_factory=dict)
    num_rows: int = 2


@dataclass(frozen=True)
class Step:
    """What one step gave."""

    loss_sum: float
    logprobs: tuple[tuple[float, ...], ...]
    #: By the names of PEFT's files.
    gradients: dict[str, Tensor]
    grad_norm: float
    weights: dict[str, Tensor]
    #: What our engine says beside that; PEFT says nothing.
    metrics: Mapping[str, float] = field(default_factory=dict)


def load_plain_model(base_folder: Path, dtype: str) -> PreTrainedModel:
    """Load the base model as anybody would."""
    model = AutoModelForCausalLM.from_pretrained(
        base_folder, dtype=DTYPES[dtype], local_files_only=True
    )
    assert isinstance(model, PreTrainedModel)
    return model


def open_with_peft(
    model: PreTrainedModel, adapter_folder: Path
) -> tuple[PeftModel, dict[str, torch.nn.Parameter]]:
    """Put the adapter on the model; return it with the trained parameters by file name."""
    peft_model = PeftModel.from_pretrained(model, adapter_folder, is_trainable=True).eval()
    return peft_model, {
        # PEFT writes the adapter's own name into the middle; its files leave it out.
        name.replace(".default.", "."): parameter
        for name, parameter in peft_model.named_parameters()
        if parameter.requires_grad
    }


def train_with_peft(
    model: PreTrainedModel,
    adapter_folder: Path,
    batches: Sequence[Sequence[Example]],
    trainee: Trainee,
) -> Iterator[Step]:
    """Train the adapter in `adapter_folder` on each batch, one row a forward pass."""
    peft_model, trained = open_with_peft(model, adapter_folder)
    settings = trainee.settings
    optimizer = torch.optim.AdamW(
        trained.values(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )
    rows_per_loss = 2 if trainee.loss == "dpo" else 1
    for batch in batches:
        loss_sum = 0.0
        logprobs = []
        for start in range(0, len(batch), rows_per_loss):
            examples = batch[start : start + rows_per_loss]
            rows = [row_logprobs(peft_model, example) for example in examples]
            loss = naive_loss(trainee.loss, trainee.loss_settings, rows, examples)
            loss.backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach())
            logprobs += [
                tuple(
                    value if weight != 0 else 0.0
                    for value, weight in zip(row.tolist(), example.weights, strict=True)
                )
                for row, example in zip(rows, examples, strict=True)
            ]
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
        yield Step(loss_sum, tuple(logprobs), gradients, float(norm), weights)


def row_logprobs(model: PreTrainedModel | PeftModel, example: Example) -> Tensor:
    """Return (T,) log-probabilities of the row's targets, from its logits at all places."""
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
