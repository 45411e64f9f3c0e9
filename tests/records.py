"""Records that the tiny model can learn from: conversations, and pairs of answers."""

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

PAIRS = [
    {
        "prompt": [{"role": "user", "content": f"What is {number} and {number}?"}],
        "chosen": [{"role": "assistant", "content": f"It is {2 * number}."}],
        "rejected": [{"role": "assistant", "content": f"I will not say what {number} is."}],
    }
    for number in range(12)
]
