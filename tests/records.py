"""Records that the tiny model can learn from."""

from __future__ import annotations

SUMS = [
    {
        "messages": [
            {"role": "user", "content": f"What is {number} and {number}?"},
            {"role": "assistant", "content": f"It is {2 * number}."},
        ]
    }
    for number in range(12)
]
