from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_IMPORT = """
import json, sys
import {module}
heavy = {{"torch", "ray", "transformers", "peft", "vllm", "pandas"}}
print(json.dumps(sorted(heavy & {{name.partition(".")[0] for name in sys.modules}})))
"""


def _heavy(module: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT.format(module=module)],
        capture_output=True, text=True, check=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    found: list[str] = json.loads(done.stdout)
    return found


def test_the_service_loads_no_compute() -> None:
    assert _heavy("twinkle_jupyter.service.app") == []


def test_the_client_loads_no_compute() -> None:
    assert _heavy("twinkle_jupyter.client.client") == []
