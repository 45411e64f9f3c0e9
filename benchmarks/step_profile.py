"""Where one step's time goes, by kind of operation, forward and backward: ours and plain PEFT's.

Without Ray. Each setting is timed as it is, with its page faults and system time, then profiled
once; the profiler makes small operations dearer than they are, so read shares from the one and
seconds from the other. PEFT's figures are of one step, times the adapters. Kinds are told from
names and shapes (`op_kinds`), so that they mean the same on both sides.
"""

from __future__ import annotations

import resource
import statistics
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch.autograd.profiler import record_function
from torch.profiler import ProfilerActivity, profile
from transformers import AutoConfig

from benchmarks.chat_rows import cut_rows, load_chat_rows, to_batch, to_examples
from benchmarks.op_kinds import DISPATCH, KINDS, OPTIMIZER, OUTSIDE, ModelSizes, find_kind
from benchmarks.report import Row, build_parser, finish, interleave
from benchmarks.two_sides import Ours, PlainPeft, find_model
from twinkle_jupyter.engine.allocator import keep_freed_memory

#: Adapters x tokens of each.
SETTINGS = ("8x16", "8x64", "8x128", "1x1024")
_STEP = "benchmark step"
_BACKWARD = "autograd::engine::evaluate_function"
_TOP = 12


class _Event(Protocol):
    """What is read of a profiler's event."""

    name: str
    input_shapes: list[list[int]]
    cpu_parent: _Event | None
    cpu_time_total: float
    self_cpu_time_total: float
    self_device_time_total: float


@dataclass(slots=True)
class StepCost:
    """What a step took."""

    #: Not profiled: seconds, page faults and seconds in the system, a step.
    seconds: float = 0.0
    page_faults: float = 0.0
    system_seconds: float = 0.0
    #: Profiled milliseconds by (kind, direction).
    kinds: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    operations: int = 0
    #: Profiled milliseconds by operation with shapes.
    hottest: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class Side:
    """One side's step, and what it costs."""

    def __init__(self, step: Callable[[], object]) -> None:
        self._step = step
        self._faults: list[int] = []
        self._system: list[float] = []
        self.cost = StepCost()

    def run(self) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF)
        self._step()
        after = resource.getrusage(resource.RUSAGE_SELF)
        self._faults.append(after.ru_minflt - before.ru_minflt)
        self._system.append(after.ru_stime - before.ru_stime)

    def keep(self, seconds: float) -> None:
        """Note the median of the time, and of what was counted beside it."""
        self.cost.seconds = seconds
        self.cost.page_faults = statistics.median(self._faults[1:])
        self.cost.system_seconds = statistics.median(self._system[1:])

    def profile(self, sizes: ModelSizes, device: str) -> None:
        """Run the step once more, and add up its operations."""
        on_device = device.startswith("cuda")
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_device else [])]
        with (
            profile(activities=activities, record_shapes=True, acc_events=True) as profiled,
            record_function(_STEP),
        ):
            self._step()
        _add_events(self.cost, profiled.events(), sizes, on_device=on_device)


def compare(
    ours: Callable[[], object], peft: Callable[[], object], sizes: ModelSizes, options: Namespace
) -> tuple[StepCost, StepCost]:
    """Time both interleaved, then profile each."""
    sides = {"ours": Side(ours), "peft": Side(peft)}
    samples = interleave({name: side.run for name, side in sides.items()}, options.rounds)
    for name, side in sides.items():
        side.keep(samples.median(name))
        side.profile(sizes, options.device)
    return sides["ours"].cost, sides["peft"].cost


def _add_events(
    cost: StepCost, events: Sequence[_Event], sizes: ModelSizes, *, on_device: bool
) -> None:
    whole = inside = 0.0
    for event in events:
        if event.name == _STEP:
            whole += event.cpu_time_total / 1e3
        if not event.name.startswith("aten::"):
            continue
        microseconds = event.self_device_time_total if on_device else event.self_cpu_time_total
        own = microseconds / 1e3
        inside += own
        is_backward, is_optimizer = _place(event)
        kind = find_kind(event.name.removeprefix("aten::"), event.input_shapes, sizes)
        if is_optimizer:
            kind = OPTIMIZER
        cost.operations += kind != DISPATCH
        cost.kinds[kind, "backward" if is_backward else "forward"] += own
        shapes = " ".join(str(shape) for shape in event.input_shapes if shape)
        cost.hottest[f"{event.name} {shapes}"] += own
    # On a GPU the host runs ahead: what it does is beside the kernels, not between them.
    cost.kinds[OUTSIDE, "forward"] += 0.0 if on_device else max(0.0, whole - inside)


def _place(event: _Event) -> tuple[bool, bool]:
    """Return whether an event is below the backward pass, and whether below the optimizer."""
    is_backward = is_optimizer = False
    parent = event.cpu_parent
    while parent is not None:
        is_backward = is_backward or parent.name.startswith(_BACKWARD)
        is_optimizer = is_optimizer or parent.name.startswith((OPTIMIZER, "Optimizer."))
        parent = parent.cpu_parent
    return is_backward, is_optimizer


def to_rows(setting: str, ours: StepCost, peft: StepCost, num_adapters: int) -> list[Row]:
    """Return a row for each measure and kind, PEFT's times the adapters."""
    measures = [
        ("time, not profiled", "ms", 1e3 * ours.seconds, 1e3 * peft.seconds),
        ("in the system", "ms", 1e3 * ours.system_seconds, 1e3 * peft.system_seconds),
        ("page faults", "faults", ours.page_faults, peft.page_faults),
        ("operations without views", "ops", ours.operations, peft.operations),
    ]
    for kind in KINDS:
        for direction in ("forward", "backward"):
            key = (kind, direction)
            if key in ours.kinds or key in peft.kinds:
                suffix = "" if kind in (OUTSIDE, OPTIMIZER) else f", {direction}"
                name = f"profiled: {kind}{suffix}"
                measures.append((name, "ms", ours.kinds[key], peft.kinds[key]))
    rows = []
    for name, unit, mine, one_of_theirs in measures:
        theirs = num_adapters * one_of_theirs
        ratio = theirs / mine if mine else None
        rows.append(Row(f"{setting} {name}", mine, unit, peer=theirs, ratio=ratio))
    return rows


def measure(folder: Path, options: Namespace) -> tuple[list[Row], dict[str, object]]:
    """Profile both sides in every setting."""
    sizes = ModelSizes.of(AutoConfig.from_pretrained(folder, local_files_only=True))
    settings = [(int(k), int(n)) for k, n in (one.split("x") for one in options.settings)]
    ours = Ours(folder, options.dtype, options.device, max(k for k, _ in settings))
    peft = PlainPeft(folder, options.dtype, options.device)
    rows: list[Row] = []
    notes: dict[str, object] = {}
    for num_adapters, num_tokens in settings:
        name = f"{num_adapters}x{num_tokens}"
        print(f"... {name}", file=sys.stderr, flush=True)
        pieces = cut_rows(load_chat_rows(folder), num_tokens)
        # All is learned: where the last tokens are not, ours leaves them out and PEFT does not.
        pieces = [pieces[index % len(pieces)].with_all_learned() for index in range(num_adapters)]
        examples = [to_examples([piece]) for piece in pieces]
        batch = to_batch(pieces[:1], 0, options.device)
        mine, theirs = compare(
            partial(ours.step, examples), partial(peft.step, batch), sizes, options
        )
        rows += to_rows(name, mine, theirs, num_adapters)
        notes[f"{name} ours, hottest (ms)"] = _top(mine)
        notes[f"{name} peft, hottest (ms)"] = _top(theirs)
    return rows, notes


def _top(cost: StepCost) -> dict[str, float]:
    hottest = sorted(cost.hottest.items(), key=lambda item: item[1], reverse=True)
    return {name: round(own, 2) for name, own in hottest[:_TOP]}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, model=True)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--settings", nargs="+", metavar="KxN", help="adapters x tokens of each")
    options = parser.parse_args(arguments)
    options.settings = options.settings or (SETTINGS[:1] if options.quick else SETTINGS)
    options.rounds = options.rounds or (3 if options.quick else 5)
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows, notes = measure(find_model(options.model), options)
    return finish(rows, options, notes)


if __name__ == "__main__":
    sys.exit(main())
