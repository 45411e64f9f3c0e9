"""`transformers.generate` of a model with many PEFT adapters, for `sampling.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

import torch

from benchmarks.two_sides import ALPHA, RANK
from twinkle_jupyter.engine.base_model import DTYPES

if TYPE_CHECKING:
    from peft import PeftModel


class Generate:
    """A base model with some PEFT adapters of rank 8.

    Every call times itself: PEFT takes tens of milliseconds to switch between this many adapters,
    which only answers of different ones have to pay for.
    """

    def __init__(
        self,
        folder: Path,
        dtype: str,
        num_adapters: int,
        num_tokens: int,
        prompt: Callable[[], tuple[int, ...]],
    ) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        base = AutoModelForCausalLM.from_pretrained(
            folder, dtype=DTYPES[dtype], local_files_only=True
        )
        config = LoraConfig(
            r=RANK, lora_alpha=int(ALPHA), target_modules="all-linear", task_type="CAUSAL_LM"
        )
        self._model = cast("PeftModel", get_peft_model(base, config, adapter_name="0").eval())
        for number in range(1, num_adapters):
            self._model.add_adapter(str(number), config)
        self._num_tokens = num_tokens
        self._prompt = prompt

    def write(self, num_streams: int) -> float:
        """Return the seconds of the answers one after another; of several, with each switch."""
        if num_streams == 1:
            return self.write_batched(1)
        started = perf_counter()
        for number in range(num_streams):
            self._model.set_adapter(str(number))
            self._generate(1)
        return perf_counter() - started

    def write_batched(self, num_streams: int) -> float:
        """Return the seconds of all of them at once, with one adapter that was there before."""
        self._model.set_adapter("0")
        started = perf_counter()
        self._generate(num_streams)
        return perf_counter() - started

    def read(self, num_tokens: int) -> float:
        """Return the seconds of a forward pass over a prompt: what a first token needs at least."""
        self._model.set_adapter("0")
        tokens = torch.tensor([(self._prompt() * num_tokens)[:num_tokens]])
        started = perf_counter()
        with torch.inference_mode():
            self._model(input_ids=tokens, logits_to_keep=1)
        return perf_counter() - started

    def _generate(self, num_rows: int) -> None:
        tokens = torch.tensor([self._prompt() for _ in range(num_rows)])
        with torch.inference_mode():
            self._model.generate(  # type: ignore[no-untyped-call]
                input_ids=tokens,
                attention_mask=torch.ones_like(tokens),
                do_sample=False,
                min_new_tokens=self._num_tokens,
                max_new_tokens=self._num_tokens,
                pad_token_id=0,
            )
