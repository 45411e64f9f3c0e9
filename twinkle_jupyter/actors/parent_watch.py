"""A process that ends when its parent does, however that ended.

Ray's workers notice a raylet that was killed at their next word with it, which a long step puts
off; a trainer that goes on alone would write into a journal that is somebody else's by then.
"""

from __future__ import annotations

import os
import threading

_LOOK_EVERY_S = 0.5


def end_with_parent(parent: int | None = None) -> None:
    """Watch from a thread, and end this process at once when its parent is another one.

    Args:
        parent: Who it must be; whoever it is now if None.
    """
    expected = os.getppid() if parent is None else parent
    threading.Thread(target=_watch, args=(expected,), name="parent watch", daemon=True).start()


def _watch(parent: int) -> None:
    never = threading.Event()
    while os.getppid() == parent:
        never.wait(_LOOK_EVERY_S)
    # Not sys.exit(): that would only end this thread.
    os._exit(1)
