"""Peak memory of this process: all of it, and what training needs beyond the loaded model.

On a GPU it is the memory that torch has allocated there; else the resident set, as Linux counts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes at the highest."""

    #: Interpreter, libraries, model, training; on a GPU model and training.
    total: int
    #: Beyond what was there when the model was loaded and nothing computed yet.
    growth: int


class PeakMeter:
    """Made when everything is loaded; read when training is done."""

    def __init__(self, device: str) -> None:
        self._is_cuda = device.startswith("cuda")
        self._total_before = self._read_peak()
        if self._is_cuda:
            torch.cuda.reset_peak_memory_stats()
            self._loaded = torch.cuda.memory_allocated()
        else:
            # 5 sets the peak back to what is resident now.
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self._loaded = _read_status("VmRSS")

    def read(self) -> Peak:
        peak = self._read_peak()
        return Peak(total=max(peak, self._total_before), growth=peak - self._loaded)

    def _read_peak(self) -> int:
        return torch.cuda.max_memory_allocated() if self._is_cuda else _read_status("VmHWM")


def run_for_peak(script: str, arguments: Sequence[str]) -> Peak:
    """Run `script` in a process of its own, which ends by `tell`; return what it told.

    Raises:
        RuntimeError: The process failed; the message has the end of what it wrote.
    """
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{script} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def tell(peak: Peak) -> None:
    """Print it for `run_for_peak`."""
    print(json.dumps(asdict(peak)))


def _read_status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return 1024 * int(kilobytes)
