"""The adapter and the checkpoint that a person holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from twinkle_jupyter.client.cards import card
from twinkle_jupyter.errors import NotFoundError, ServiceUnavailableError

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.client.run import Run
    from twinkle_jupyter.wire.native import AdapterBody, CheckpointBody, RunBody

    Prompt: TypeAlias = "str | Sequence[Mapping[str, str]]"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint of a run: training can go on from it, and PEFT reads its folder."""

    run_id: str
    adapter: str
    step: int
    #: What a person called it; may be empty.
    label: str
    #: Absolute, on the service's machine.
    folder: str
    size_bytes: int
    #: Whether it has the lowest eval loss of the run.
    is_best: bool
    #: ISO 8601, UTC; empty for one that is kept for good.
    expires_at: str
    created_at: str

    @classmethod
    def of(cls, run: RunBody, body: CheckpointBody) -> Checkpoint:
        """Take what the service says of a run's checkpoint."""
        return cls(
            run_id=run.run_id,
            adapter=run.adapter,
            step=body.step,
            label=body.label,
            folder=body.folder,
            size_bytes=body.size_bytes,
            is_best=body.is_best,
            expires_at=body.expires_at,
            created_at=body.created_at,
        )

    def __repr__(self) -> str:
        return f"<checkpoint of adapter {self.adapter!r} at step {self.step}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        title = f"Checkpoint of {self.adapter}, step {self.step}"
        pairs = {
            "label": self.label,
            "best": "yes" if self.is_best else "",
            "size": f"{self.size_bytes / 1e6:.1f} MB",
            "until (UTC)": self.expires_at[:16].replace("T", " "),
            "folder": self.folder,
        }
        return card(title, pairs)


class Adapter:
    """One adapter on the service; each property asks for the present value.

    Attributes:
        name: Its name.

    Raises:
        NotFoundError: From every property: there is none of this name any more.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name

    @property
    def state(self) -> str:
        """State of its newest run."""
        return self._body.state

    @property
    def step(self) -> int:
        """Optimizer steps that its newest weights have behind them."""
        return self._body.step

    @property
    def rank(self) -> int:
        """Its rank."""
        return self._body.rank

    @property
    def base_model(self) -> str:
        """What it was trained on."""
        return self._body.base_model

    @property
    def folder(self) -> str:
        """Folder of its newest checkpoint, as `peft` reads it; empty before the first."""
        return self._body.folder

    @property
    def run(self) -> Run:
        """Its newest run."""
        return self._client.hold(self.name)

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Those of its newest run, oldest first."""
        run = self._client.run(self.name)
        return [Checkpoint.of(run, body) for body in self._client.checkpoints(run.run_id)]

    def sample(self, prompt: Prompt, **settings: float) -> str:
        """Answer a question, or a conversation, with the newest weights.

        Raises as `Client.sample`.
        """
        is_text = isinstance(prompt, str)
        messages = [{"role": "user", "content": prompt}] if is_text else list(prompt)
        parts = self._client.sample(self.name, messages, **settings)  # type: ignore[arg-type]
        return "".join(part.text for part in parts)

    def delete(self) -> None:
        """Delete its weights; raises `ConflictError` while it is being trained."""
        self._client.delete_adapter(self.name)

    def __repr__(self) -> str:
        return f"<adapter {self.name!r}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        try:
            body = self._body
        except (NotFoundError, ServiceUnavailableError) as error:
            return card(f"Adapter {self.name}", {"now": str(error)})
        pairs = {
            "state": body.state,
            "step": str(body.step),
            "rank": str(body.rank),
            "base model": body.base_model,
            "folder": body.folder,
        }
        return card(f"Adapter {self.name}", pairs)

    @property
    def _body(self) -> AdapterBody:
        for body in self._client.adapters():
            if body.name == self.name:
                return body
        raise NotFoundError(
            f"There is no adapter {self.name!r}.", "`%twinkle adapters` lists yours."
        )
