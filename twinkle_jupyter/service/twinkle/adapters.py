"""Adapters by the names that clients of the Twinkle protocol give them."""

from __future__ import annotations

from dataclasses import dataclass

from twinkle_jupyter.errors import ConflictError, InvalidConfigError, NotFoundError
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.clients.sessions import Sessions
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.twinkle.base_models import need_base_model
from twinkle_jupyter.service.twinkle.route import need_session
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.wire.twinkle_bodies import AddAdapterBody, is_adapter_name
from twinkle_jupyter.wire.twinkle_objects import read_lora_config


@dataclass(frozen=True, slots=True)
class NamedAdapters:
    """All of a service."""

    parts: ServiceParts
    sessions: Sessions
    adapters: ClientAdapters

    async def add(
        self, owner: str, session_id: str, base_model: str, body: AddAdapterBody
    ) -> ClientAdapterRow:
        """Write an adapter down; one of the same name and shape is the same adapter.

        Raises:
            InvalidConfigError: It cannot be so here.
            NotFoundError: This user has no such session, or there is no such base model.
            ConflictError: There is one of this name with another shape.
            QuotaExceededError: The user has as many as they may.
        """
        await self.sessions.get(owner, need_session(session_id))
        if body.save_dir is not None:
            raise InvalidConfigError(
                "save_dir is not taken: checkpoints lie in the service's own store.",
                "Leave it out; save() returns the path to load and to sample from.",
            )
        if body.config is None:
            raise InvalidConfigError(
                "config is missing: adapters are trained here, not whole models.",
                "Pass a peft LoraConfig.",
            )
        if not is_adapter_name(body.adapter_name):
            raise InvalidConfigError(
                f"adapter_name={body.adapter_name!r} is no name for an adapter.",
                "Letters, digits, and . _ - after the first.",
            )
        lora = read_lora_config(body.config)
        await need_base_model(self.parts, owner, base_model)
        row = ClientAdapterRow(
            owner,
            f"{session_id}-{body.adapter_name}",
            session_id,
            base_model,
            lora.r,
            lora.alpha,
            body.seed,
            targets=lora.targets,
            user_metadata={"adapter_name": body.adapter_name},
        )
        try:
            await self.adapters.write(row)
        except ConflictError as error:
            raise ConflictError(
                f"Adapter {body.adapter_name!r} of this session exists with another shape:"
                f" {error.message}",
                "Take another adapter_name, or the LoraConfig that it was added with.",
            ) from error
        return await self.adapters.get(owner, row.adapter_id)

    async def get(
        self, owner: str, session_id: str, name: str, base_model: str
    ) -> ClientAdapterRow:
        """Return this user's adapter: of the session by its name, of any by its whole id.

        Raises:
            NotFoundError: There is none, or it is of another base model.
        """
        for adapter_id in filter(None, (session_id and f"{session_id}-{name}", name)):
            try:
                row = await self.adapters.get(owner, adapter_id)
            except NotFoundError:
                continue
            if row.base_model == base_model:
                return row
        raise NotFoundError(
            f"There is no adapter {name!r} on {base_model!r} in this session.",
            "add_adapter_to_model(...) makes one.",
        )
