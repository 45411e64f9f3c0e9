"""One training step as we take it and as plain PEFT takes it, over the same rows.

Both have rank 8, alpha 16, all linears, AdamW with torch's defaults, the loss as a mean over what
is learned. PEFT is as its documentation has it: adapter weights in fp32 by its own default.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.autograd.profiler import record_function

from benchmarks.chat_rows import Batch, ChatRow, to_batch, to_examples
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.engine.base_model import DTYPES, load_base_model
from twinkle_jupyter.engine.residency import AdapterLimits
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.errors import TwinkleError
from twinkle_jupyter.example import Example
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.launch.model_fetch import ensure_base_model
from twinkle_jupyter.scheduling.request import (
    AdamWSettings,
    AdapterSpec,
    ForwardBackward,
    ForwardBackwardResult,
    OptimStep,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

RANK, ALPHA, LEARNING_RATE = 8, 16.0, 1e-4
#: Of torch.optim.AdamW where nothing is said.
SETTINGS = AdamWSettings(LEARNING_RATE, weight_decay=0.01)
#: Largest relative difference of two losses of the same work, by dtype. A logit in bf16 has three
#: digits, and AdamW's first steps go by the signs of gradients alone.
SAME_LOSS = {"float64": 1e-6, "float32": 1e-3, "bfloat16": 1e-1}
#: Steps after which the losses are compared: the first alone does not see the optimizer.
COMPARED_STEPS = 3
COMPARED_TOKENS = 128


def find_model(name: str | None) -> Path:
    """Return the folder of the model that `--model` names, or of the default one."""
    return ensure_base_model(name or DEFAULT_BASE_MODEL, lambda _: None)


class _LoadOutcome(Protocol):
    """What PEFT returns, which its annotations do not know."""

    unexpected_keys: list[str]


class Ours:
    """Our engine with a number of adapters."""

    def __init__(
        self,
        folder: Path,
        dtype: str,
        device: str,
        num_adapters: int,
        *,
        checkpointing: bool = False,
    ) -> None:
        base = load_base_model(folder, dtype, device)
        limits = AdapterLimits(max_active=num_adapters, max_adapters=num_adapters)
        self._device = device
        self.model = base.model
        self.engine = StepEngine(
            base,
            base_model_name=folder.name,
            limits=limits,
            gradient_checkpointing=checkpointing,
        )
        self.adapters = [AdapterId(f"adapter-{number}") for number in range(num_adapters)]
        for seed, adapter in enumerate(self.adapters):
            self.engine.create_adapter(adapter, AdapterSpec(RANK, ALPHA, seed))

    def step(self, rows: Sequence[tuple[Example, ...]]) -> list[float]:
        """Take one step of as many adapters as `rows` has entries; return their losses."""
        adapters = self.adapters[: len(rows)]
        results = self.engine.forward_backward(
            [ForwardBackward(a, 1, own) for a, own in zip(adapters, rows, strict=True)]
        )
        # A name in a profile; it costs microseconds.
        with record_function("optimizer"):
            steps = self.engine.optim_step([OptimStep(a, 2, SETTINGS) for a in adapters])
        synchronise(self._device)
        for outcome in (*results, *steps):
            if isinstance(outcome, TwinkleError):
                raise outcome
        return [one.loss_sum for one in results if isinstance(one, ForwardBackwardResult)]

    def copy_weights(self, number: int) -> dict[str, Tensor]:
        """Return an adapter's weights by the names of PEFT's files."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "adapter"
            self.engine.write_checkpoint(path, self.engine.copy_adapter(self.adapters[number]))
            return load_file(path / "adapter_model.safetensors")


class PlainPeft:
    """The loop that everybody has written: forward with labels, backward, step, zero_grad."""

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=DTYPES[dtype], local_files_only=True
        )
        torch.nn.Module.to(base, device)
        config = LoraConfig(
            r=RANK, lora_alpha=int(ALPHA), target_modules="all-linear", task_type="CAUSAL_LM"
        )
        self._device = device
        self.model = get_peft_model(base, config).train()
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad], lr=LEARNING_RATE
        )

    def step(self, batch: Batch) -> Tensor:
        """Take one step; return its loss, ()."""
        loss: Tensor = self.model(**batch).loss
        loss.backward()  # type: ignore[no-untyped-call]
        with record_function("optimizer"):
            self.optimizer.step()
            self.optimizer.zero_grad()
        synchronise(self._device)
        return loss.detach()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Begin where another adapter is; takes the names of PEFT's files."""
        from peft import set_peft_model_state_dict

        outcome = cast("_LoadOutcome", set_peft_model_state_dict(self.model, weights))
        assert not outcome.unexpected_keys, outcome.unexpected_keys


def check_same_work(
    ours: Ours, peft: PlainPeft, steps: Sequence[Sequence[ChatRow]], dtype: str, device: str
) -> float:
    """Train both from the same weights on the same rows; return how far the losses are apart.

    The optimizers of both must be new. This is what makes the times comparable at all.

    Raises:
        RuntimeError: A loss differs by more than rounding.
    """
    peft.load_weights(ours.copy_weights(0))
    furthest = 0.0
    for number, rows in enumerate(steps, start=1):
        [mine] = ours.step([to_examples(rows)])
        theirs = float(peft.step(to_batch(rows, 0, device)))
        apart = abs(mine - theirs) / abs(theirs)
        if not apart <= SAME_LOSS[dtype]:
            raise RuntimeError(f"step {number} in {dtype} is other work: {mine} and {theirs}")
        furthest = max(furthest, apart)
    return furthest


def synchronise(device: str) -> None:
    """Wait for what a device still computes."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def release(device: str) -> None:
    """Give memory back between two models; the caller has dropped its names for them."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
