"""Claim: each fault of the list is caught in each chat template of TRL, and none is invented.

Run as `python -m benchmarks.template_faults`; TRL's wheel is fetched by pip on first use.
"""

from __future__ import annotations

import sys
import time

from tests.templates.plant_suite import count, find_false_alarms, run_suite


def main() -> int:
    """Print the table; return 1 if a fault was missed or a sound row refused."""
    begun = time.monotonic()
    outcomes = run_suite()
    for code, outcome in outcomes.items():
        missed = "".join(f"\n    missed in {name}" for name in outcome.missed)
        print(f"{code:<22}{outcome.caught:>5} of {outcome.planted:>3}{missed}")
    planted, caught = count(outcomes)
    num_rows, alarms = find_false_alarms()
    print(f"{'all':<22}{caught:>5,} of {planted:,}")
    print(f"{'false alarms':<22}{len(alarms):>5} in {num_rows} sound rows")
    print(f"{time.monotonic() - begun:.0f} s")
    return int(caught != planted or bool(alarms))


if __name__ == "__main__":
    sys.exit(main())
