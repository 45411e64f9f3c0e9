"""TRL's `SFTTrainer` over the same rows in the same order, timed step by step through a callback.

Its own settings where nothing is said here; said are batch, length, learning rate, the number type
of the model, and that nothing is reported or saved. Its default computes activations twice
(gradient checkpointing).
"""

from __future__ import annotations

import logging
import math
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from benchmarks.chat_rows import IGNORED, ChatRow
from benchmarks.two_sides import LEARNING_RATE, PlainPeft, synchronise


class TrlSide:
    """A model with a LoRA adapter, trained in blocks by a fresh trainer each.

    Args:
        folder: Of the base model.
        dtype: Of its weights; bfloat16 also trains in it.
        device: A torch device.
        rows: In the order of training; as many as whole batches have.
        batch_size: Rows of a step.
        padding_free: One long row of all rows of a batch, instead of padding.
        checkpointing: Compute activations twice, TRL's own default.
    """

    def __init__(  # noqa: PLR0913 - what two trainers differ in
        self,
        folder: Path,
        dtype: str,
        device: str,
        rows: Sequence[ChatRow],
        *,
        batch_size: int,
        padding_free: bool = False,
        checkpointing: bool = True,
    ) -> None:
        for name in ("transformers", "trl", "accelerate"):
            logging.getLogger(name).setLevel(logging.ERROR)
        disable_progress_bars()
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        self._device = device
        self.model = PlainPeft(folder, dtype, device).model
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._dataset = Dataset.from_list([_to_record(row) for row in rows])
        self._settings: dict[str, object] = {
            "per_device_train_batch_size": batch_size,
            "learning_rate": LEARNING_RATE,
            "max_length": None,  # the rows are cut already
            "padding_free": padding_free,
            "gradient_checkpointing": checkpointing,
            "bf16": dtype == "bfloat16",
            "use_cpu": device == "cpu",
            "dataloader_pin_memory": device != "cpu",
            "train_sampling_strategy": "sequential",
            "report_to": "none",
            "save_strategy": "no",
            "logging_strategy": "steps",
            "logging_first_step": True,
            "logging_steps": 10_000,
            "disable_tqdm": True,
        }

    def block(self, steps: int) -> tuple[list[float], float]:
        """Train; return when each step had ended, and the loss of the first."""
        clock = _Clock(self._device)
        with tempfile.TemporaryDirectory() as folder:
            trainer = SFTTrainer(
                model=self.model,
                args=SFTConfig(output_dir=folder, max_steps=steps, **self._settings),
                train_dataset=self._dataset,
                processing_class=self._tokenizer,
                callbacks=[clock],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        return clock.ends, clock.first_loss


class _Clock(TrainerCallback):
    def __init__(self, device: str) -> None:
        self._device = device
        self.ends: list[float] = []
        self.first_loss = float("nan")

    def on_step_end(self, *_: object, **__: object) -> None:
        synchronise(self._device)
        self.ends.append(time.perf_counter())

    def on_log(self, *_: object, **named: object) -> None:
        logs = named["logs"]
        if isinstance(logs, dict) and "loss" in logs and math.isnan(self.first_loss):
            self.first_loss = float(logs["loss"])


def _to_record(row: ChatRow) -> dict[str, list[int]]:
    labels = [token if flag else IGNORED for token, flag in zip(row.ids, row.learned, strict=True)]
    return {"input_ids": list(row.ids), "labels": labels}
