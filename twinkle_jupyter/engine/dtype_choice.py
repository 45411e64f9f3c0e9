"""Which number type a base model is computed in on this machine: measured with its own shapes.

Loads no transformers, which would take as long again: the first run waits for this.

Run as a process of its own (`python -m twinkle_jupyter.engine.dtype_choice FOLDER THREADS`) it
prints the choice as JSON, so that whoever asks need not load torch.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from twinkle_jupyter.config.trainer_settings import DtypeChoice
from twinkle_jupyter.engine.compute_dtype import choose_compute_dtype
from twinkle_jupyter.engine.memory import machine_memory
from twinkle_jupyter.errors import NotFoundError

#: bf16 is taken from here on: less is not worth its fewer digits.
_WORTH = 1.25
#: Rows of one pass: an answer, many answers, a training step.
_ROWS = (1, 16, 128)
_ROUNDS = 12
#: Weights that are read in one timing: more than a processor's caches hold.
_BYTES_READ = 48 * 2**20


def choose_dtype(folder: Path, num_threads: int) -> DtypeChoice:
    """Choose between float32 and bfloat16 for the base model in `folder`.

    Takes a second or two where there is something to measure. int8 is no candidate: it changes what
    the model says, and a sampler would no longer answer what the trainer trains.

    Raises:
        NotFoundError: There is no model in the folder.
    """
    if torch.cuda.is_available():
        return _choose_on_gpu()
    shapes = _read_shapes(folder)
    num_parameters = sum(math.prod(shape) * times for shape, times in shapes.items())
    memory = machine_memory()
    if 4 * num_parameters > memory / 2:
        needed, there_is = 4 * num_parameters / 1e9, memory / 1e9
        return DtypeChoice(
            "bfloat16", f"in float32 it would take {needed:.1f} of {there_is:.1f} GB of memory"
        )
    if choose_compute_dtype(torch.bfloat16, torch.device("cpu")) != torch.bfloat16:
        return DtypeChoice("float32", "this processor has no units for bfloat16")
    torch.set_num_threads(num_threads)
    ratio = _measure(list(shapes))
    if ratio < _WORTH:
        return DtypeChoice("float32", f"bfloat16 is only {ratio:.1f}x as fast on this machine")
    return DtypeChoice("bfloat16", f"{ratio:.1f}x as fast as float32 on this machine")


def _choose_on_gpu() -> DtypeChoice:
    if torch.cuda.is_bf16_supported():
        return DtypeChoice("bfloat16", "this GPU has units for it")
    return DtypeChoice("float32", "this GPU has no units for bfloat16")


def _read_shapes(folder: Path) -> Counter[tuple[int, int]]:
    """Count the matrices among the weights by shape."""
    shapes: Counter[tuple[int, int]] = Counter()
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise NotFoundError(f"Base model folder {folder.name!r} holds no weights in safetensors.")
    for file in files:
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - not a mapping
                shape = weights.get_slice(name).get_shape()
                if len(shape) == 2:
                    shapes[shape[0], shape[1]] += 1
    return shapes


def _measure(shapes: list[tuple[int, int]]) -> float:
    """Return how many times as fast bf16 is, as the geometric mean over `_ROWS`."""
    matrices = _fill(shapes)
    halves = [matrix.bfloat16() for matrix in matrices]
    ratios = []
    with torch.inference_mode():
        for rows in _ROWS:
            single = _pass_over(matrices, rows, torch.float32)
            half = _pass_over(halves, rows, torch.bfloat16)
            single()
            half()
            # The best of each, in turns: this is measured while much else begins.
            pairs = [(_seconds(single), _seconds(half)) for _ in range(_ROUNDS)]
            ratios.append(min(slow for slow, _ in pairs) / min(fast for _, fast in pairs))
    return statistics.geometric_mean(ratios)


def _fill(shapes: list[tuple[int, int]]) -> list[Tensor]:
    """Return random matrices of these shapes, each as often as memory is to be read."""
    matrices: list[Tensor] = []
    num_bytes = 0
    while num_bytes < _BYTES_READ:
        for height, width in shapes:
            # A vocabulary's matrix would be all that is measured.
            matrix = torch.randn(min(height, 4 * width), width)
            matrices.append(matrix)
            num_bytes += matrix.numel() * matrix.element_size()
    return matrices


def _pass_over(matrices: list[Tensor], rows: int, dtype: torch.dtype) -> Callable[[], None]:
    inputs = {
        matrix.shape[1]: torch.randn(rows, matrix.shape[1], dtype=dtype) for matrix in matrices
    }

    def run() -> None:
        for matrix in matrices:
            functional.linear(inputs[matrix.shape[1]], matrix)

    return run


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(choose_dtype(Path(sys.argv[1]), int(sys.argv[2])))))
