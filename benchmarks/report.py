"""How a benchmark samples and how it reports: one row a claim, with its peer, its bar, its spread.

A benchmark is a `main` that makes rows and returns `finish(rows, options)`. Times of two sides are
only ever compared within one round of one process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

#: What of a processor's features decides how fast matmuls are.
_FEATURES = ("amx_bf16", "amx_tile", "avx512_bf16", "avx512f", "avx2", "asimd", "sve")

Spread = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a row must reach: its value at most, or its ratio (or value) at least."""

    limit: float
    sense: Literal["at most", "at least"]
    on: Literal["value", "ratio"] = "value"

    def holds(self, row: Row) -> bool:
        measured = row.value if self.on == "value" else row.ratio
        if measured is None:
            raise ValueError(f"row {row.name!r} has a bar on its ratio, and no ratio")
        return measured <= self.limit if self.sense == "at most" else measured >= self.limit

    def __str__(self) -> str:
        sign = "≤" if self.sense == "at most" else "≥"
        return f"{sign} {self.limit:g}{'x' if self.on == 'ratio' else ''}"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured claim."""

    name: str
    #: Median of our side.
    value: float
    unit: str
    #: Least and largest of the samples behind `value`.
    spread: Spread | None = None
    #: Median of the peer, in the same unit.
    peer: float | None = None
    #: How many times better we are, median over rounds; of memory, our share of the peer's.
    ratio: float | None = None
    ratio_spread: Spread | None = None
    bar: Bar | None = None

    @classmethod
    def of_samples(cls, name: str, samples: Sequence[float], unit: str, bar: Bar | None) -> Row:
        """Return a row without a peer: median and spread of samples."""
        return cls(name, statistics.median(samples), unit, (min(samples), max(samples)), bar=bar)

    @classmethod
    def of_times(cls, name: str, samples: Samples, ours: str, peer: str, bar: Bar | None) -> Row:
        """Return a row of milliseconds, its ratio the median over rounds of peer / ours."""
        ratios = samples.ratios(peer, ours)
        low, high = samples.spread(ours)
        return cls(
            name,
            1e3 * samples.median(ours),
            "ms",
            (1e3 * low, 1e3 * high),
            1e3 * samples.median(peer),
            statistics.median(ratios),
            (min(ratios), max(ratios)),
            bar,
        )

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None without a bar."""
        return None if self.bar is None else self.bar.holds(self)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "value": _round(self.value),
            "unit": self.unit,
            "spread": _round_spread(self.spread),
            "peer": None if self.peer is None else _round(self.peer),
            "ratio": None if self.ratio is None else _round(self.ratio),
            "ratio_spread": _round_spread(self.ratio_spread),
            "bar": None if self.bar is None else self.bar.limit,
            "bar_is": None if self.bar is None else f"{self.bar.on} {self.bar.sense}",
            "holds": self.holds,
        }


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds of two or more sides, taken in rounds."""

    #: By side, one a round.
    seconds: Mapping[str, Sequence[float]]

    def median(self, side: str) -> float:
        return statistics.median(self.seconds[side])

    def spread(self, side: str) -> Spread:
        return min(self.seconds[side]), max(self.seconds[side])

    def ratios(self, slower: str, faster: str) -> list[float]:
        """Return slower / faster of each round."""
        pairs = zip(self.seconds[slower], self.seconds[faster], strict=True)
        return [a / b for a, b in pairs]


def interleave(
    sides: Mapping[str, Callable[[], object]], rounds: int, *, warm_ups: int = 1
) -> Samples:
    """Time each side once a round, in turning order, after untimed rounds.

    A side that returns a float has timed itself and returns seconds: it may then prepare and clean
    up outside of the clock. Whatever else it returns is not looked at.
    """
    order = list(sides)
    for _ in range(warm_ups):
        for side in order:
            sides[side]()
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side in order:
            started = time.perf_counter()
            own = sides[side]()
            passed = time.perf_counter() - started
            seconds[side].append(own if isinstance(own, float) else passed)
        # Who goes first finds other caches and another clock rate than who goes last.
        order.reverse()
    return Samples(seconds)


def parse_options(description: str | None, *, model: bool = False) -> argparse.Namespace:
    """Read what every benchmark takes; `model` adds what one that runs a model takes."""
    return build_parser(description, model=model).parse_args()


def build_parser(description: str | None, *, model: bool = False) -> argparse.ArgumentParser:
    """Return the parser of `parse_options`, for a benchmark with options of its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print machine and rows as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    parser.add_argument("--quick", action="store_true", help="less of everything, within a minute")
    if model:
        parser.add_argument("--model", help="base model: bundled name, folder or hub name")
        parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
        parser.add_argument("--rounds", type=int, help="samples behind a median")
        parser.add_argument("--threads", type=int, help="threads of torch; its default if not set")
    return parser


def describe_machine() -> dict[str, object]:
    """Return what a figure depends on beside the code, and the code's commit."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_name(),
        "features": [name for name in _FEATURES if name in _cpu_flags()],
        "gpu": _gpu_name(),
        "python": platform.python_version(),
        "torch": _version("torch"),
        "transformers": _version("transformers"),
        "peft": _version("peft"),
        "commit": _commit(),
    }


def finish(
    rows: Sequence[Row], options: argparse.Namespace, notes: Mapping[str, object] | None = None
) -> int:
    """Print the rows as the options ask; return the exit code."""
    machine = describe_machine()
    if options.json:
        report = {"machine": machine, **(notes or {}), "rows": [row.as_json() for row in rows]}
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        print(_machine_line(machine))
        print("\n".join(format_table(rows)))
        for name, note in (notes or {}).items():
            print(f"{name}: {note}")
    return 1 if options.check and any(row.holds is False for row in rows) else 0


def format_table(rows: Sequence[Row]) -> list[str]:
    """Return the rows as lines of one table."""
    cells = [("what", "ours", "spread", "peer", "ratio", "spread", "bar", "")]
    for row in rows:
        verdict = {None: "", True: "holds", False: "MISSED"}[row.holds]
        cells.append(
            (
                row.name,
                f"{_round(row.value):g} {row.unit}",
                _format_spread(row.spread),
                "" if row.peer is None else f"{_round(row.peer):g} {row.unit}",
                "" if row.ratio is None else f"{row.ratio:.2f}x",
                _format_spread(row.ratio_spread),
                "" if row.bar is None else str(row.bar),
                verdict,
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _format_spread(spread: Spread | None) -> str:
    return "" if spread is None else f"{_round(spread[0]):g}-{_round(spread[1]):g}"


def _round(value: float) -> float:
    """Four significant digits: more is noise."""
    return float(f"{value:.4g}")


def _round_spread(spread: Spread | None) -> list[float] | None:
    return None if spread is None else [_round(end) for end in spread]


def _machine_line(machine: Mapping[str, object]) -> str:
    features = machine["features"]
    assert isinstance(features, list)
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    return (
        f"{machine['cores']} cores of {machine['cpu']} ({' '.join(features)}){gpu};"
        f" Python {machine['python']}, torch {machine['torch']}; commit {machine['commit']}"
    )


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _cpu_name() -> str:
    names = [line.split(":", 1)[1].strip() for line in _cpu_lines() if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def _cpu_flags() -> set[str]:
    kinds = ("flags", "Features")
    flags = [line.split(":", 1)[1] for line in _cpu_lines() if line.startswith(kinds)]
    return set(flags[0].split()) if flags else set()


def _gpu_name() -> str | None:
    # A benchmark that needs no torch shall not pay for loading it here.
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit, with a + where the tree holds more than that."""
    root = Path(__file__).parents[1]
    try:
        commit = _git(root, "rev-parse", "--short", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
