"""What a preview of a million rows takes: memory beyond that of ten thousand, and time.

Each file is read by a process of its own; memory is its peak resident set.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Bar, Row, finish, parse_options
from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.launch.model_fetch import ensure_base_model

_MAX_GROWTH_MB = Bar(32.0, "at most")
_READ = """
import json, re, sys, time
from pathlib import Path
from twinkle_jupyter.datasets.preview import Measure, read_preview
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import RowEncoder
measure = Measure(RowEncoder(ChatTemplate.load(Path(sys.argv[1])), "all-assistant", 1024))
began = time.perf_counter()
for preview in read_preview(sys.argv[2], "", 1024, measure):
    pass
seconds = time.perf_counter() - began
# Not `ru_maxrss`, which a new process has from the one that started it.
peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(json.dumps([preview.num_rows, preview.num_measured, seconds, peak]))
"""


def write_rows(path: Path, count: int) -> None:
    """Write so many conversations of some two hundred bytes."""
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            asked = f"Question {number}: {'what of it, ' * (number % 9)}and why?"
            messages = [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": f"Answer {number}."},
            ]
            out.write(json.dumps({"messages": messages}) + "\n")


def read(model: Path, path: Path) -> tuple[int, int, float, int]:
    """Preview the file in a process; return rows, rows measured, seconds and peak bytes."""
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(model), str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows, measured, seconds, peak = json.loads(done.stdout)
    return rows, measured, seconds, peak


def main() -> int:
    """Measure and report."""
    options = parse_options(__doc__, model=True)
    model = ensure_base_model(options.model or DEFAULT_BASE_MODEL, lambda _: None)
    many = 100_000 if options.quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(path, 10_000)
        *_, few_peak = read(model, path)
        write_rows(path, many)
        size = path.stat().st_size
        _, measured, seconds, peak = read(model, path)
    rows = [
        Row(f"preview, {many:,} rows: memory beyond 10,000 rows", (peak - few_peak) / 1e6, "MB",
            bar=_MAX_GROWTH_MB),
        Row(f"preview, {many:,} rows: the file", size / 1e6, "MB"),
        Row(f"preview, {many:,} rows: time", seconds, "s"),
        Row(f"preview, {many:,} rows: rows whose tokens are counted", measured, "rows"),
    ]  # fmt: skip
    return finish(rows, options)


if __name__ == "__main__":
    sys.exit(main())
