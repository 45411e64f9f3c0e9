"""The service's way to compute: Ray is joined when it is first needed, never on the event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

from twinkle_jupyter.actors.names import sampler_name, trainer_name
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import STARTING, InvalidConfigError, ServiceUnavailableError
from twinkle_jupyter.launch.ray_head import RayHead, join_head
from twinkle_jupyter.runs.base_model_wishes import wish_for
from twinkle_jupyter.service.parts import ServedModel
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import PhaseRow
from twinkle_jupyter.templates.chat_template import ChatTemplate


class ComputeAccess:
    """Gives the routes trainer, sampler and template of a base model."""

    def __init__(self, store: StateStore, config: ServiceConfig) -> None:
        self._store = store
        self._config = config
        self._templates: dict[str, ChatTemplate] = {}
        self._joining = asyncio.Lock()

    async def compute(self, name: str) -> ServedModel:
        """Return the base model of this name, having it loaded if nobody has asked for it yet.

        Raises:
            ServiceUnavailableError: It is not loaded yet; the message says what is being done.
            InvalidConfigError: It cannot be loaded.
        """
        model = await wish_for(self._store, name)
        if model.phase == "failed":
            raise InvalidConfigError(model.message)
        if model.phase != "ready":
            doing = model.message or await self._phase_message()
            raise ServiceUnavailableError(f"{doing}.", "It is starting; try again.", STARTING)
        async with self._joining:
            await asyncio.to_thread(self._join)
        template = self._templates.get(name)
        if template is None:
            template = await asyncio.to_thread(ChatTemplate.load, Path(model.folder))
            self._templates[name] = template
        # Only now may Ray be imported: joining has set its environment.
        from twinkle_jupyter.actors.ray_handles import RaySamplerHandle, RayTrainerHandle

        trainer, sampler = await asyncio.to_thread(
            lambda: (RayTrainerHandle(trainer_name(name)), RaySamplerHandle(sampler_name(name)))
        )
        return ServedModel(trainer, sampler, template)

    def _join(self) -> None:
        head = RayHead.read(self._config.cluster_path)
        if head is None:
            raise ServiceUnavailableError("Ray is not running yet.", "Try again in a moment.")
        join_head(head)

    async def _phase_message(self) -> str:
        row = await self._store.get(PhaseRow.KEY)
        message = str(row["message"]) if row is not None else ""
        return message or "The base model is not loaded yet"
