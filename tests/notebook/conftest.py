"""A real service, a real IPython shell and a real kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.client.live_service import LiveService
from twinkle_jupyter.notebook.magics import register
from twinkle_jupyter.store.records import PhaseRow

Content = dict[str, object]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveService]:
    """The real application, ready, with nothing that computes."""
    with LiveService(tmp_path / "service") as service:
        service.call(service.store.put(PhaseRow.KEY, PhaseRow("ready").to_row()))
        yield service


@dataclass(frozen=True)
class PlainShell:
    """An IPython shell of a terminal."""

    ip: InteractiveShell

    def run(self, cell: str) -> BaseException | None:
        """Run a cell; return the error that ended it."""
        result: ExecutionResult = self.ip.run_cell(cell)  # type: ignore[no-untyped-call]
        return result.error_in_exec

    def push(self, **names: object) -> None:
        """Set variables."""
        self.ip.push(names)  # type: ignore[no-untyped-call]


@pytest.fixture
def shell() -> Iterator[PlainShell]:
    """A shell with the magics."""
    InteractiveShell.clear_instance()
    ip = InteractiveShell.instance()
    session = register(ip)
    yield PlainShell(ip)
    session.service.close()
    assert ip.history_manager is not None
    ip.history_manager.end_session()
    InteractiveShell.clear_instance()


@dataclass
class Outcome:
    """What a cell did: the reply, and every message that it published."""

    reply: Content
    messages: list[tuple[str, Content]] = field(default_factory=list)

    def of(self, kind: str) -> list[Content]:
        return [content for name, content in self.messages if name == kind]

    @property
    def bundles(self) -> list[dict[str, str]]:
        return [cast("dict[str, str]", content["data"]) for content in self.of("display_data")]


class Kernel:
    """A running kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(self, code: str) -> Outcome:
        """Run a cell to its end."""
        return self.finish(self.begin(code))

    def begin(self, code: str) -> str:
        """Send a cell."""
        return str(self.client.execute(code))

    def finish(self, request: str) -> Outcome:
        """Collect everything until the cell has ended."""
        outcome = Outcome({})
        while True:
            kind, content, parent = self.next_message()
            if parent != request:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                break
            outcome.messages.append((kind, content))
        reply = self.client.get_shell_msg(timeout=20)
        while reply["parent_header"].get("msg_id") != request:
            reply = self.client.get_shell_msg(timeout=20)
        outcome.reply = reply["content"]
        return outcome

    def next_message(self) -> tuple[str, Content, str]:
        """Return kind, content and request of the next published message."""
        message = self.client.get_iopub_msg(timeout=20)
        return message["msg_type"], message["content"], message["parent_header"].get("msg_id", "")

    def interrupt(self) -> float:
        """Interrupt it; return the time at which that was done."""
        self.manager.interrupt_kernel()
        return time.monotonic()


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A kernel with the magics loaded."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        kernel = Kernel(manager, client)
        assert kernel.run("%load_ext twinkle_jupyter").reply["status"] == "ok"
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
