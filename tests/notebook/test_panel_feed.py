"""What a panel without our server extension may ask of its run."""

from __future__ import annotations

import pytest

from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.notebook.panel_feed import obey


class Told:
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def pause(self, name: str) -> None:
        self.calls.append(("pause", name))

    def resume(self, name: str) -> None:
        self.calls.append(("resume", name))

    def stop(self, name: str, *, keep: str = "last") -> None:
        self.calls.append(("stop", name, keep))

    def set(self, name: str, **changes: object) -> None:
        self.calls.append(("set", name, changes))

    def checkpoint(self, name: str) -> None:
        self.calls.append(("checkpoint", name))

    def fork(self, name: str, *, adapter: str, **changes: object) -> None:
        self.calls.append(("fork", name, adapter, changes))


def test_each_command_of_the_panel_reaches_the_client_with_its_body() -> None:
    told = Told()

    obey(told, "run_a", "pause", None)
    obey(told, "run_a", "resume", None)
    obey(told, "run_a", "stop", None)
    obey(told, "run_a", "stop", {"keep": "best"})
    obey(told, "run_a", "set", {"changes": {"learning_rate": 3e-4, "steps": 80}})
    obey(told, "run_a", "checkpoint", {})
    obey(told, "run_a", "fork", {"step": None, "adapter": "next", "changes": {}})

    assert told.calls == [
        ("pause", "run_a"),
        ("resume", "run_a"),
        ("stop", "run_a", "last"),
        ("stop", "run_a", "best"),
        ("set", "run_a", {"learning_rate": 3e-4, "steps": 80}),
        ("checkpoint", "run_a"),
        ("fork", "run_a", "next", {}),
    ]


@pytest.mark.parametrize(
    ("command", "body"), [("erase", None), ("set", {"changes": 3}), ("set", None), ("fork", {})]
)
def test_what_is_no_command_is_refused(command: str, body: object) -> None:
    told = Told()
    with pytest.raises(InvalidDataError, match=command):
        obey(told, "run_a", command, body)
    assert told.calls == []
