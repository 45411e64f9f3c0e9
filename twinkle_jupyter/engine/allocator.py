"""How this process asks the system for memory: it keeps what it has.

By default glibc gives large blocks back at once, and each step pays again for every page of its
activations: measured 0.7 of 4.1 s of a step of 1,024 tokens (docs/experiments.md).
"""

from __future__ import annotations

import ctypes
import platform

#: `mallopt`'s parameters, from malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_KEEP_BYTES = 2**31 - 1
_GROW_BYTES = 64 * 2**20


def give_back_freed_memory() -> None:
    """Give the system what is free, wherever it lies: after something large that comes once."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed_memory() -> None:
    """Let freed blocks be used again instead of going back to the system.

    For a process whose use of memory repeats, step after step. Elsewhere than on glibc nothing
    changes.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    # A thread's own arena is made of pieces of 64 MB, which are given back one by one.
    libc.mallopt(_ARENA_MAX, 1)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _KEEP_BYTES)
    libc.mallopt(_TOP_PAD, _GROW_BYTES)
