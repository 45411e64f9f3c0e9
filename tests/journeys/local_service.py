"""A service of the tiny model in one process without Ray, which the lab starts as its own.

The application, the store and the runs are the real ones. Arguments: its home, the model's folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.client.live_service import LiveService
from tests.journeys.local_runs import LocalRuns
from twinkle_jupyter.store.records import BaseModelRow, PhaseRow


def main(home: Path, model: Path) -> None:
    with LiveService(home, model, limits={"adapters": 8}) as live:
        row = BaseModelRow("tiny", "ready", folder=str(model), dtype="float32")
        live.call(live.store.put(BaseModelRow.key("tiny"), row.to_row()))
        live.call(live.store.put(PhaseRow.KEY, PhaseRow("ready").to_row()))
        runs = LocalRuns(live, model)
        runs.begin()
        sys.stdin.read()
        runs.end()


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
