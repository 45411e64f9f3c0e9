"""k adapters in one step of ours against k steps of plain PEFT, one after the other.

One row of n tokens an adapter: the less work a step has, the more there is to share. A cell is
k x n x dtype x which tokens are learned (all of them; or those of real chat data). Both sides run
interleaved in one process, under the same settings of threads and allocator, and are first seen to
learn the same thing from the same weights. PEFT's k steps are k steps of one adapter, which spares
it `set_adapter`; where they come to more than 512 tokens, a part of them is run and multiplied.

What it should give on one H100 in bf16, written before any GPU has been measured. A step of m
tokens takes max(L, R, c m): L the host's launches, R two reads of the weights (3.35 TB/s), c m the
arithmetic (4 N FLOP a token, of 989 TFLOP/s). Speed-up = k T(n) of PEFT / T(k n) of ours.
    8B:   R = 2 x 16 GB / 3.35 TB/s = 9.6 ms;  c = 32 GFLOP / (50 % of 989) = 0.065 ms
    135M: R = 0.16 ms;  c = 0.54 GFLOP / (20 %: small matmuls) = 0.0027 ms
L is the guess that decides, and is to be measured first. Low: 20 ms for both at 32 layers. High:
2.6 ms a layer for PEFT (300 kernels and Python around them), 1 ms a layer for ours.
    low-high    k=1       k=8        k=16       k=32
    135M n=16   1.0-2.6   8.0-21     16-42      32-83
    135M n=256  1.0-2.6   8.0-21     16-42      27-83
    8B   n=16   1.0-2.6   8.0-21     16-42      19-80
    8B   n=64   1.0-2.6   4.8-20     4.8-20     4.8-20
    8B   n=256  1.0-2.6   1.2-5.0    1.2-5.0    1.2-5.0
    8B   n=2048 1.0       1.0        1.0        1.0
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from benchmarks.report import Bar, Row, Samples, build_parser, finish, interleave
from benchmarks.two_sides import (
    COMPARED_STEPS,
    COMPARED_TOKENS,
    Ours,
    PlainPeft,
    check_same_work,
    find_model,
    release,
)
from twinkle_jupyter.engine.allocator import keep_freed_memory

#: Least speed-up, by dtype and tokens, of eight adapters; everywhere else 1.
SPEED_BARS = {
    ("float32", 16): 3.8, ("float32", 64): 2.5, ("float32", 128): 1.6,
    ("bfloat16", 16): 4.2, ("bfloat16", 64): 3.0, ("bfloat16", 128): 2.2,
}  # fmt: skip
#: Percent that eight adapters may cost over one with the same rows.
OVERHEAD_BAR = 5.0
BARRED_ADAPTERS = 8
#: PEFT's steps are run until they have had so many tokens.
PEER_TOKENS = 512
DTYPES = ("float32", "bfloat16")
SUPERVISIONS = ("all", "chat")


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting that is measured."""

    dtype: str
    num_adapters: int
    num_tokens: int
    supervision: str

    @property
    def name(self) -> str:
        return f"{self.dtype} k={self.num_adapters} n={self.num_tokens} {self.supervision}"

    @property
    def peer_steps(self) -> int:
        """How many of PEFT's k steps are run in a round."""
        return min(self.num_adapters, max(2, PEER_TOKENS // self.num_tokens))


def measure_cell(
    cell: Cell, ours: Ours, peft: PlainPeft, rows: Sequence[ChatRow], options: argparse.Namespace
) -> list[Row]:
    """Sample both sides, and where there is a bar on it one adapter with all the rows."""
    # Each side has its own turn through the same hands: a round is one hand for all.
    together_hands, alone_hands, peer_hands = (deal(rows, cell.num_adapters) for _ in range(3))

    def together() -> float:
        examples = [to_examples([row]) for row in next(together_hands)]
        return _time(lambda: ours.step(examples))

    def alone() -> float:
        examples = to_examples(next(alone_hands))
        return _time(lambda: ours.step([examples]))

    def one_by_one() -> float:
        hand = next(peer_hands)[: cell.peer_steps]
        batches = [to_batch([row], 0, options.device) for row in hand]
        seconds = _time(lambda: [peft.step(batch) for batch in batches])
        return seconds * cell.num_adapters / cell.peer_steps

    sides = {"together": together, "one by one": one_by_one}
    if cell.num_adapters == BARRED_ADAPTERS:
        sides["alone"] = alone
    samples = interleave(sides, options.rounds)
    share = f"{cell.name} ({share_learned(rows):.0%} learned)"
    measured = [_speed_row(cell, share, samples)]
    if "alone" in sides:
        measured.append(_overhead_row(cell, samples))
    return measured


def _speed_row(cell: Cell, name: str, samples: Samples) -> Row:
    bar = 1.0
    if cell.num_adapters == BARRED_ADAPTERS:
        bar = SPEED_BARS.get((cell.dtype, cell.num_tokens), bar)
    bar_on_ratio = Bar(bar, "at least", "ratio")
    return Row.of_times(name, samples, "together", "one by one", bar_on_ratio)


def _overhead_row(cell: Cell, samples: Samples) -> Row:
    percent = [100 * (ratio - 1) for ratio in samples.ratios("together", "alone")]
    return Row.of_samples(
        f"{cell.name}: over one adapter", percent, "%", Bar(OVERHEAD_BAR, "at most")
    )


def measure(folder: Path, options: argparse.Namespace) -> tuple[list[Row], dict[str, object]]:
    """Measure all cells, one dtype after the other; note how far the losses were apart."""
    conversations = load_chat_rows(folder)
    rows: list[Row] = []
    notes: dict[str, object] = {}
    for dtype in options.dtype:
        ours = Ours(folder, dtype, options.device, max(options.adapters))
        peft = PlainPeft(folder, dtype, options.device)
        firsts = [[row] for row in cut_rows(conversations, COMPARED_TOKENS)[:COMPARED_STEPS]]
        apart = check_same_work(ours, peft, firsts, dtype, options.device)
        notes[f"{dtype}: losses of {COMPARED_STEPS} same steps apart by"] = f"{apart:.1e}"
        for num_tokens in options.tokens:
            pieces = cut_rows(conversations, num_tokens)
            for supervision in options.supervision:
                if supervision == "all":
                    pieces_here = [piece.with_all_learned() for piece in pieces]
                else:
                    pieces_here = pieces
                for num_adapters in options.adapters:
                    cell = Cell(dtype, num_adapters, num_tokens, supervision)
                    print(f"... {cell.name}", file=sys.stderr, flush=True)
                    rows += measure_cell(cell, ours, peft, pieces_here, options)
        del ours, peft
        release(options.device)
    return rows, notes


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, model=True)
    parser.add_argument("--dtype", nargs="+", choices=DTYPES)
    parser.add_argument("--adapters", nargs="+", type=int, metavar="K")
    parser.add_argument("--tokens", nargs="+", type=int, metavar="N")
    parser.add_argument("--supervision", nargs="+", choices=SUPERVISIONS)
    options = parser.parse_args(arguments)
    options.dtype = options.dtype or DTYPES[: 1 if options.quick else 2]
    options.adapters = options.adapters or ([8] if options.quick else [1, 2, 4, 8, 16])
    options.tokens = options.tokens or ([16, 64] if options.quick else [16, 64, 128, 256])
    options.supervision = options.supervision or (SUPERVISIONS[: 1 if options.quick else 2])
    options.rounds = options.rounds or (3 if options.quick else 5)
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows, notes = measure(find_model(options.model), options)
    return finish(rows, options, notes)


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
