"""What a client can ask of one run: to rest, to change, to go on elsewhere, to keep what it has."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal, TypeVar

import httpx
from pydantic import BaseModel

from twinkle_jupyter.config.run_record import RunRecord
from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.wire.native import CheckpointBody, CheckpointListBody, RunBody

#: A run comes to a checkpoint or to its end after the step under way, in seconds.
ACT_S = 120.0

#: Of a run or an adapter; those of Tinker clients have colons.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")

Answer = TypeVar("Answer", bound=BaseModel)


class RunCommands(ABC):
    """Commands to runs, over whatever `_send` speaks to."""

    def pause(self, name: str) -> RunBody:
        """Let the run rest before its next step; raises `ConflictError` when it is over."""
        return self._command(name, "pause")

    def resume(self, name: str) -> RunBody:
        """Let a paused run go on; raises `ConflictError` when it is over."""
        return self._command(name, "resume")

    def stop(self, name: str, *, keep: Literal["last", "best"] = "last") -> RunBody:
        """End the run before its next step.

        Args:
            name: A run, or an adapter for its newest.
            keep: Which weights it leaves: the newest, or those with the lowest eval loss.

        Raises:
            ConflictError: It is over, or has no eval loss yet.
        """
        return self._post(f"/runs/{checked_name(name)}/stop", {"keep": keep}, RunBody)

    def record(self, name: str) -> RunRecord:
        """Return what a run depends on, and how it ended once it has.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: It has not begun yet.
        """
        return self._call("GET", f"/runs/{checked_name(name)}/record", RunRecord)

    def records(self, name: str) -> bytes:
        """Return the rows that a run was given, JSON Lines."""
        return self._send("GET", f"/runs/{checked_name(name)}/records", timeout_s=ACT_S).content

    def set(self, name: str, **changes: object) -> RunBody:
        """Change settings of a run that goes on, from its next step.

        Raises:
            InvalidConfigError: A setting is wrong or cannot change; all are named.
            ConflictError: The run is over, or is being stopped.
        """
        return self._post(f"/runs/{checked_name(name)}/set", {"changes": changes}, RunBody)

    def fork(
        self, name: str, *, step: int | None = None, adapter: str = "", **changes: object
    ) -> RunBody:
        """Start a run from exactly the weights and the optimizer that another one had.

        Args:
            name: The other run, or an adapter for its newest.
            step: One that there is a checkpoint of; the newest if None.
            adapter: Name of the new adapter; the next one that is free if empty.
            changes: Settings that differ.

        Raises:
            NotFoundError: There is no checkpoint of that step.
            ConflictError: The name is taken.
            InvalidConfigError: A setting is wrong or cannot change; all are named.
        """
        body = {"step": step, "adapter": adapter, "changes": changes}
        return self._post(f"/runs/{checked_name(name)}/fork", body, RunBody)

    def rewind(self, name: str, step: int, **changes: object) -> RunBody:
        """Go on from an earlier step under the same name; raises as `fork`."""
        body = {"step": step, "changes": changes}
        return self._post(f"/runs/{checked_name(name)}/rewind", body, RunBody)

    def checkpoint(
        self, name: str, *, label: str = "", ttl_seconds: int | None = None
    ) -> CheckpointBody:
        """Make a checkpoint now and keep it, for so many seconds or for good."""
        body = {"name": label, "ttl_seconds": ttl_seconds}
        return self._post(f"/runs/{checked_name(name)}/checkpoints", body, CheckpointBody)

    def checkpoints(self, name: str) -> list[CheckpointBody]:
        """List a run's checkpoints, oldest first."""
        path = f"/runs/{checked_name(name)}/checkpoints"
        return list(self._call("GET", path, CheckpointListBody).checkpoints)

    @abstractmethod
    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """Send one request and return its answer; raises what it says."""

    def _command(self, name: str, command: Literal["pause", "resume"]) -> RunBody:
        return self._call("POST", f"/runs/{checked_name(name)}/{command}", RunBody)

    def _post(self, path: str, body: Mapping[str, object], model: type[Answer]) -> Answer:
        answer = self._send("POST", path, content=json.dumps(body).encode(), timeout_s=ACT_S)
        return model.model_validate_json(answer.content)

    def _call(self, method: str, path: str, model: type[Answer]) -> Answer:
        return model.model_validate_json(self._send(method, path).content)


def checked_name(name: str) -> str:
    """Return a name as a part of a path; what cannot be a name is not asked for."""
    if _NAME.fullmatch(name) is None:
        raise NotFoundError(
            f"There is no run or adapter {name!r}.",
            "Names have letters, digits, `.`, `_`, `-` and `:`; `%twinkle runs` lists yours.",
        )
    return name
