"""What a training would have been without a kill: its whole journal, repeated in one process.

In fp32 an adapter's last bits depend on whose rows share its batches, so the unbroken run is one
with the same plans. The journal has them all, and this goes through them once, from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from torch import Tensor

from twinkle_jupyter.config.trainer_settings import TrainerSettings
from twinkle_jupyter.engine.step import StepEngine
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.runtime.cuts import Cut
from twinkle_jupyter.runtime.engine_building import build_engine
from twinkle_jupyter.runtime.journal import OpKey
from twinkle_jupyter.runtime.recovery import Recovery
from twinkle_jupyter.scheduling.request import ForwardBackward, ForwardBackwardResult
from twinkle_jupyter.store.interface import LogEntry, StateStore

_PAGE = 1000


@dataclass
class Unbroken:
    """One adapter as the repetition leaves it."""

    #: Of every batch that was trained on, in order.
    losses: list[float] = field(default_factory=list)
    #: Weights when it was last seen, by PEFT's names.
    weights: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0


async def repeat_journal(
    store: StateStore, base_model: Path, journal: str, folder: Path
) -> Mapping[AdapterId, Unbroken]:
    """Train again what a journal that was never cut off says.

    Args:
        store: Has the journal.
        base_model: Folder of the model it was about.
        journal: Name of the log.
        folder: Of the trainer, for checkpoints that were loaded.
    """
    name = str(base_model)
    engine = build_engine(base_model, name, 1, TrainerSettings(), lambda _: None)
    recovery = Recovery(engine, Cut(), folder)
    adapters: dict[AdapterId, Unbroken] = {}
    after = 0
    while page := await store.read(journal, after, _PAGE):
        for entry in page:
            assert entry.position == after + 1, "the journal has been cut off"
            after = entry.position
            if entry.entry["kind"] == "removed":
                _look(engine, adapters, AdapterId(str(entry.entry["adapter"])))
            batches = _batches(recovery, entry)
            recovery.repeat([entry])
            for adapter_id, sequence_id in batches:
                # None where a part is to come.
                answer = recovery.recovered.queues[adapter_id].answers.get(sequence_id)
                if isinstance(answer, ForwardBackwardResult):
                    adapters.setdefault(adapter_id, Unbroken()).losses.append(answer.loss_sum)
    for adapter_id in recovery.recovered.queues:
        _look(engine, adapters, adapter_id)
    return adapters


def _look(engine: StepEngine, adapters: dict[AdapterId, Unbroken], adapter_id: AdapterId) -> None:
    if adapter_id not in engine.adapters:
        return
    state = engine.copy_adapter(adapter_id)
    layout = engine.bank.layout(state.spec)
    adapter = adapters.setdefault(adapter_id, Unbroken())
    adapter.weights = layout.name_tensors(layout.split(state.parameters))
    adapter.step = state.step


def _batches(recovery: Recovery, entry: LogEntry) -> list[OpKey]:
    """Return the ops of a plan that leave a gradient."""
    if entry.entry["kind"] != "plan":
        return []
    keys = [
        (AdapterId(adapter), sequence)
        for adapter, sequence in cast("list[tuple[str, int]]", entry.entry["ops"])
    ]
    ops = [recovery.recovered.pending[key][1] for key in keys]
    return [
        key
        for key, op in zip(keys, ops, strict=True)
        if isinstance(op, ForwardBackward) and not op.forward_only
    ]
