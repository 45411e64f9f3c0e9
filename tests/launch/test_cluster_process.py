"""The cluster process as a service finds it: of its own settings, or of others."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.launch.announce import Announcer
from twinkle_jupyter.launch.cluster_process import ClusterProcess
from twinkle_jupyter.store.memory import MemoryStore

#: A process that holds the cluster's lease, and nothing else.
_HOLDER = """
import sys, time
from pathlib import Path
from twinkle_jupyter.launch.lease import Lease
lease = Lease.take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def _hold(config: ServiceConfig) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _HOLDER, str(config.cluster_lock_path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.mark.parametrize("is_other", [False, True])
async def test_a_cluster_of_other_settings_is_ended_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_other: bool
) -> None:
    old = ServiceConfig.load(home=tmp_path, trainer={"token_budget": 512})
    # Another port is none of the cluster's business.
    new = ServiceConfig.load(
        home=tmp_path, http={"port": 1}, trainer={"token_budget": 64 if is_other else 512}
    )
    old.cluster_digest_path.write_text(old.cluster_digest, encoding="ascii")
    holder = await asyncio.to_thread(_hold, old)
    started: list[bool] = []
    process = ClusterProcess(new, Announcer(MemoryStore()))
    monkeypatch.setattr(process, "_spawn", lambda: started.append(True))
    try:
        await process.start()
        assert started == [True] * is_other
        ended = holder.poll()
        assert ended == (-signal.SIGTERM if is_other else None)
    finally:
        holder.kill()
        holder.communicate()
