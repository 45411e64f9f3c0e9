"""In which number type a benchmark of answers computes: the one that the service would choose."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from twinkle_jupyter.config.trainer_settings import DtypeChoice
from twinkle_jupyter.launch.dtype_decision import decide_dtype


def add_dtype_option(parser: argparse.ArgumentParser) -> None:
    """Add `--dtype`, for `decide`."""
    parser.add_argument(
        "--dtype",
        default="auto",
        choices=("auto", "float32", "bfloat16"),
        help="of the base model, on all sides; auto is what the service would choose here",
    )


def decide(options: argparse.Namespace, folder: Path) -> DtypeChoice:
    """Return the number type, and for `auto` why it is that one."""
    with tempfile.TemporaryDirectory() as home:
        threads = options.threads or os.cpu_count() or 1
        return asyncio.run(decide_dtype(options.dtype, folder, Path(home), threads))
