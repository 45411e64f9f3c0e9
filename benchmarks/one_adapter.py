"""One adapter on real chat data: ours against plain PEFT and against TRL's `SFTTrainer`.

Batches of four, two kinds of rows: the shipped conversations as they are (about 50 tokens), and the
same joined to 512 tokens, where activations weigh more. Speed is tokens that are no padding by
seconds, in blocks of steps, interleaved in one process under one allocator; the first step of a
block is not timed. Peak memory is of a process of its own for each side: `total` is all that was
ever resident in it, `growth` what training needed beyond the loaded model. TRL is measured with
and without the gradient checkpointing that is its default, and without padding. The first losses of
all sides must agree.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import torch

from benchmarks.chat_rows import (
    ChatRow,
    cut_rows,
    deal,
    load_chat_rows,
    share_learned,
    to_batch,
    to_examples,
)
from benchmarks.process_memory import Peak, PeakMeter, run_for_peak, tell
from benchmarks.report import Bar, Row, Samples, build_parser, finish, interleave
from benchmarks.two_sides import SAME_LOSS, Ours, PlainPeft, find_model
from twinkle_jupyter.engine.allocator import keep_freed_memory

BATCH_SIZE = 4
MAX_LENGTH = 512
DATA = ("shipped", "joined")
#: What is compared with what, and how many times faster ours must be.
SPEED_BARS = {
    ("ours", "peft"): 1.3,
    ("ours", "trl"): 1.5,
    ("ours", "trl padding-free"): 1.5,
    ("ours", "trl checkpointing"): 1.5,
    ("ours checkpointing", "trl checkpointing"): None,
}
#: Ours against the peer that keeps as much.
MEMORY_BAR = 0.7
MEMORY_PAIRS = (
    ("ours", "peft"),
    ("ours", "trl"),
    ("ours", "trl padding-free"),
    ("ours checkpointing", "trl checkpointing"),
)
#: Trains so many steps; returns when each had ended, and the loss of the first.
Block: TypeAlias = Callable[[int], tuple[list[float], float]]


@dataclass(frozen=True, slots=True)
class Side:
    """A way to train, loaded."""

    model: torch.nn.Module
    block: Block


def open_side(
    side: str, folder: Path, rows: Sequence[ChatRow], options: argparse.Namespace
) -> Side:
    """Load what `side` trains with."""
    dtype, device = options.dtype, options.device
    if side.startswith("ours"):
        ours = Ours(folder, dtype, device, 1, checkpointing="checkpointing" in side)
        return Side(ours.model, _loop(rows, lambda hand: ours.step([to_examples(hand)])[0]))
    if side == "peft":
        peft = PlainPeft(folder, dtype, device)
        return Side(
            peft.model, _loop(rows, lambda hand: float(peft.step(to_batch(hand, 0, device))))
        )
    from benchmarks.trl_side import TrlSide

    trl = TrlSide(
        folder,
        dtype,
        device,
        rows,
        batch_size=BATCH_SIZE,
        padding_free="padding-free" in side,
        checkpointing="checkpointing" in side,
    )
    return Side(trl.model, trl.block)


def _loop(rows: Sequence[ChatRow], step: Callable[[Sequence[ChatRow]], float]) -> Block:
    def block(steps: int) -> tuple[list[float], float]:
        ends, losses = [], []
        for hand in islice(deal(rows, BATCH_SIZE), steps):
            losses.append(step(hand))
            ends.append(time.perf_counter())
        return ends, losses[0]

    return block


def load_rows(folder: Path, data: str) -> list[ChatRow]:
    """Return whole batches of rows."""
    rows = load_chat_rows(folder, MAX_LENGTH)
    if data == "joined":
        rows = cut_rows(rows, MAX_LENGTH)
    return rows[: len(rows) // BATCH_SIZE * BATCH_SIZE]


def measure_speed(folder: Path, data: str, options: argparse.Namespace) -> list[Row]:
    """Compare all sides in this process."""
    rows = load_rows(folder, data)
    hands = list(islice(deal(rows, BATCH_SIZE), options.steps))
    num_tokens = sum(len(row.ids) for hand in hands[1:] for row in hand)
    blocks = {side: open_side(side, folder, rows, options).block for side in options.sides}
    check_first_losses({side: block(2)[1] for side, block in blocks.items()}, options.dtype)

    def timed(side: str) -> Callable[[], float]:
        def run() -> float:
            print(f"... {data}: {side}", file=sys.stderr, flush=True)
            ends, _ = blocks[side](options.steps)
            return ends[-1] - ends[0]

        return run

    samples = interleave({side: timed(side) for side in blocks}, options.rounds, warm_ups=0)
    kind = f"{data} ({share_learned(rows):.0%} learned)"
    return [
        _speed_row(kind, pair, samples, num_tokens)
        for pair in SPEED_BARS
        if set(pair) <= set(options.sides)
    ]


def check_first_losses(losses: dict[str, float], dtype: str) -> None:
    """Refuse to compare sides that do not learn the same thing.

    Raises:
        RuntimeError: They differ by more than rounding.
    """
    lowest, highest = min(losses.values()), max(losses.values())
    if not highest - lowest <= SAME_LOSS[dtype] * lowest:
        raise RuntimeError(f"the sides do other work, their first losses differ: {losses}")


def _speed_row(kind: str, pair: tuple[str, str], samples: Samples, num_tokens: int) -> Row:
    ours, peer = pair
    row = Row.of_times(f"{kind}: {ours} / {peer}", samples, ours, peer, None)
    slowest, fastest = samples.spread(ours)[1], samples.spread(ours)[0]
    bar = SPEED_BARS[pair]
    return Row(
        row.name,
        num_tokens / samples.median(ours),
        "tokens/s",
        (num_tokens / slowest, num_tokens / fastest),
        num_tokens / samples.median(peer),
        row.ratio,
        row.ratio_spread,
        None if bar is None else Bar(bar, "at least", "ratio"),
    )


def measure_memory(folder: Path, data: str, options: argparse.Namespace) -> list[Row]:
    """Run each side alone, one after the other; what is compared does not depend on load."""
    peaks: dict[str, Peak] = {}
    for side in options.sides:
        print(f"... {data}: memory of {side}", file=sys.stderr, flush=True)
        arguments = ["--alone", side, "--model", str(folder), "--data", data]
        arguments += ["--dtype", options.dtype, "--device", options.device]
        arguments += ["--steps", str(options.steps)]
        peaks[side] = run_for_peak(__file__, arguments)
    pairs = [pair for pair in MEMORY_PAIRS if set(pair) <= set(peaks)]
    rows = []
    for ours, peer in pairs:
        name = f"{data}: peak memory, {ours} / {peer}"
        mine, theirs = peaks[ours], peaks[peer]
        bar = Bar(MEMORY_BAR, "at most", "ratio")
        rows.append(_memory_row(f"{name}, total", mine.total, theirs.total, bar))
        rows.append(_memory_row(f"{name}, growth", mine.growth, theirs.growth, None))
    return rows


def _memory_row(name: str, ours: int, peer: int, bar: Bar | None) -> Row:
    return Row(name, ours / 2**20, "MiB", peer=peer / 2**20, ratio=ours / peer, bar=bar)


def run_alone(side: str, folder: Path, options: argparse.Namespace) -> int:
    """Train `side` in this process and tell its peak: what `measure_memory` starts."""
    if side.startswith("ours"):
        # As our trainer does; a user of the others has the system's own allocator as it is.
        keep_freed_memory()
    opened = open_side(side, folder, load_rows(folder, options.data[0]), options)
    # Weights are mapped from their file and come in when they are first read: that is no growth.
    for weights in opened.model.parameters():
        float(weights.detach().sum())
    meter = PeakMeter(options.device)
    opened.block(options.steps)
    tell(meter.read())
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, model=True)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--data", nargs="+", choices=DATA)
    parser.add_argument("--steps", type=int, help="of a block; the first is not timed")
    parser.add_argument("--sides", nargs="+", choices=sorted({s for p in SPEED_BARS for s in p}))
    parser.add_argument("--no-memory", action="store_true", help="speed only")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.data = options.data or (DATA[:1] if options.quick else DATA)
    options.steps = options.steps or (4 if options.quick else 10)
    options.rounds = options.rounds or (3 if options.quick else 5)
    if options.threads:
        torch.set_num_threads(options.threads)
    folder = find_model(options.model)
    if options.alone:
        return run_alone(options.alone, folder, options)
    notes = choose_sides(options)
    keep_freed_memory()
    rows = []
    for data in options.data:
        if not options.no_memory:
            # First, while this process holds no model.
            rows += measure_memory(folder, data, options)
        rows += measure_speed(folder, data, options)
    return finish(rows, options, notes)


def choose_sides(options: argparse.Namespace) -> dict[str, object]:
    """Leave TRL out where it is not installed, and say so."""
    sides = options.sides or list(dict.fromkeys(s for pair in SPEED_BARS for s in pair))
    has_trl = importlib.util.find_spec("trl") is not None
    options.sides = [side for side in sides if has_trl or not side.startswith("trl")]
    return {} if has_trl else {"not measured": "TRL is not installed: pip install -e '.[bench]'"}


if __name__ == "__main__":
    sys.exit(main())
