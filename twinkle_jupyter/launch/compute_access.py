"""The service's way to compute: Ray is joined when it is first needed, never on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from twinkle_jupyter.actors.names import trainer_name
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.errors import STARTING, InvalidConfigError, ServiceUnavailableError
from twinkle_jupyter.launch.apart import CallsApart
from twinkle_jupyter.launch.ray_head import RayHead, join_head, leave_head
from twinkle_jupyter.runs.base_model_wishes import wish_again, wish_for
from twinkle_jupyter.service.parts import ServedModel
from twinkle_jupyter.store.interface import StateStore
from twinkle_jupyter.store.records import PhaseRow
from twinkle_jupyter.templates.chat_template import ChatTemplate

#: Leaving a Ray that is gone and joining another one.
_JOIN_S = 30.0
_LEAVE_S = 10.0
_LOOK_UP_S = 5.0
#: What was found is good for so long: an actor may be another one by then, of the same name.
_FOUND_LASTS_S = 1.0
_WATCH_S = 1.0
#: A base model that could not be loaded is not tried more often.
_TRY_AGAIN_S = 60.0
#: A Ray without a head for so long is left before another one is there.
_GONE_S = 30.0


class ComputeAccess:
    """Gives the routes trainer, sampler and template of a base model."""

    def __init__(self, store: StateStore, config: ServiceConfig) -> None:
        self._store = store
        self._config = config
        self._templates: dict[str, ChatTemplate] = {}
        #: By base model: when it was looked up, and what was found.
        self._found: dict[str, tuple[float, ServedModel]] = {}
        #: By base model that failed: when it was last tried, as far as is known here.
        self._tried_at: dict[str, float] = {}
        self._joining = asyncio.Lock()
        self._ray = CallsApart("Ray")
        #: Address of the Ray that this process is part of; empty for none.
        self._joined = ""

    async def compute(self, name: str) -> ServedModel:
        """Return the base model of this name, having it loaded if nobody has asked for it yet.

        Raises:
            ServiceUnavailableError: It is not loaded yet; the message says what is being done.
            InvalidConfigError: It cannot be loaded.
        """
        found_at, found = self._found.get(name, (0.0, None))
        if found is not None and time.monotonic() - found_at < _FOUND_LASTS_S:
            return found
        model = await wish_for(self._store, name)
        if model.phase == "failed" and self._may_try_again(name):
            model = await wish_again(self._store, name)
        if model.phase == "failed":
            raise InvalidConfigError(model.message)
        if model.phase != "ready":
            doing = model.message or await self._phase_message()
            raise ServiceUnavailableError(f"{doing}.", "It is starting; try again.", STARTING)
        await self.join()
        template = self._templates.get(name)
        if template is None:
            template = await asyncio.to_thread(ChatTemplate.load, Path(model.folder))
            self._templates[name] = template
        # Only now may Ray be imported: joining has set its environment.
        from twinkle_jupyter.actors.ray_handles import RayTrainerHandle
        from twinkle_jupyter.actors.sampler_replicas import find_samplers

        trainer, sampler = await self._ray.call(
            lambda: (
                RayTrainerHandle(trainer_name(name)),
                find_samplers(name, model.num_samplers, model.sampler_placement),
            ),
            _LOOK_UP_S,
        )
        served = ServedModel(trainer, sampler, template)
        self._found[name] = (time.monotonic(), served)
        return served

    def _may_try_again(self, name: str) -> bool:
        """Whether a base model that could not be loaded is tried once more: a line may be back."""
        now = time.monotonic()
        is_long_ago = now - self._tried_at.setdefault(name, now) > _TRY_AGAIN_S
        if is_long_ago:
            self._tried_at[name] = now
        return is_long_ago

    async def join(self) -> None:
        """Be part of the Ray that there is; raises ServiceUnavailableError where there is none."""
        async with self._joining:
            await self._ray.call(self._join, _JOIN_S)

    async def watch(self) -> None:
        """Leave a Ray that is gone, whether or not somebody asks for another; until cancelled.

        Ray ends a process that has been without its head for a minute.
        """
        missing_since: float | None = None
        while True:
            await asyncio.sleep(_WATCH_S)
            head = await asyncio.to_thread(RayHead.read, self._config.cluster_path)
            address = head.address if head is not None else ""
            now = time.monotonic()
            missing_since = None if address else missing_since or now
            # While it falls apart is not the moment to leave it in good order.
            if missing_since is None or now - missing_since > _GONE_S:
                await self.leave(unless=address)

    async def leave(self, unless: str = "") -> None:
        """Leave the Ray that was joined, if one was, before its end or after it.

        Args:
            unless: Address of the Ray that there is now, which is not left.
        """
        async with self._joining:  # what is being joined meanwhile is known only then
            if self._joined and self._joined != unless:
                with contextlib.suppress(ServiceUnavailableError):
                    await self._ray.call(self._leave, _LEAVE_S)

    def _leave(self) -> None:
        self._joined = ""
        self._found.clear()
        leave_head()

    def _join(self) -> None:
        head = RayHead.read(self._config.cluster_path)
        if head is None:
            raise ServiceUnavailableError("Ray is not running yet.", "Try again in a moment.")
        join_head(head)
        self._joined = head.address

    async def _phase_message(self) -> str:
        row = await self._store.get(PhaseRow.KEY)
        message = str(row["message"]) if row is not None else ""
        return message or "The base model is not loaded yet"
