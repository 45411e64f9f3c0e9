"""Which weights a model's name stands for: a base model, an adapter, a checkpoint by its path."""

from __future__ import annotations

from datetime import datetime

from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.service.adapters import list_adapter_runs
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.client_models import list_client_models
from twinkle_jupyter.service.clients.saved_weights import list_saved
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.service.runs import BASE
from twinkle_jupyter.service.sampling import SampleSource, find_source, read_path
from twinkle_jupyter.service.sharing import list_readable
from twinkle_jupyter.store.records import BaseModelRow
from twinkle_jupyter.wire.openai import ModelCard

_TINKER, _TWINKLE = "tinker://", "twinkle://"
#: A base model that is still being loaded.
_LOAD_WAIT_S = 25.0


async def find_model(
    parts: ServiceParts, asker: Asker, name: str, adapter_uri: str | None
) -> SampleSource:
    """Return what answers.

    Args:
        parts: Of the service.
        asker: Whose adapters may be named, and who may read what others share.
        name: A base model, an adapter, or a path; or a base model, `;` and a path.
        adapter_uri: A path, which comes before whatever is named.

    Raises:
        NotFoundError: There is no such model; says which there are.
        InvalidDataError: The path is none.
        ConflictError: The adapter has no weights yet.
        ServiceUnavailableError: The base model is not loaded.
    """
    path = adapter_uri or name.partition(";")[2] or name

    async def find() -> SampleSource:
        if path.startswith((_TINKER, _TWINKLE)):
            return await read_path(parts, asker, path)
        if adapter_uri is not None:
            raise InvalidDataError(f"adapter_uri={path!r} is no tinker:// or twinkle:// path.")
        if path in await _base_models(parts):
            return SampleSource(await parts.compute(path), asker.owner)
        return await _find_adapter(parts, asker, path)

    return await patiently(find, _LOAD_WAIT_S)


async def list_models(parts: ServiceParts, asker: Asker) -> list[ModelCard]:
    """Return every name that `find_model` takes for this user."""
    owner = asker.owner
    cards = [
        ModelCard(id=name, created=0, owned_by="twinkle") for name in await _base_models(parts)
    ]
    runs = await list_adapter_runs(parts.store, owner)
    named = [(run.adapter, run.created_at) for run in runs if run.checkpoint or not run.is_over]
    trained = await list_client_models(parts, owner)
    named += [(one.row.adapter_id, one.row.created_at) for one in trained]
    named += [(one.row.path, one.row.created_at) for one in await list_saved(parts, owner)]
    cards += [_card(name, created_at, owner) for name, created_at in named]
    known = {card.id for card in cards}
    shared = [
        _card(one.path, one.shared_at, one.owner) for one in await list_readable(parts, asker)
    ]
    return cards + [card for card in shared if card.id not in known]


async def _base_models(parts: ServiceParts) -> list[str]:
    rows = await parts.store.list_rows(BaseModelRow.PREFIX)
    ready = [BaseModelRow.from_row(row) for _, row in rows]
    names = [
        parts.config.base_model,
        *parts.config.base_models,
        *(row.name for row in ready if row.phase == "ready"),
    ]
    return list(dict.fromkeys(names))


async def _find_adapter(parts: ServiceParts, asker: Asker, name: str) -> SampleSource:
    try:
        return await find_source(parts, asker, name)
    except NotFoundError as error:
        names = ", ".join(card.id for card in await list_models(parts, asker))
        raise NotFoundError(f"There is no model {name!r}.", f"There are: {names}, {BASE}.") from (
            error
        )


def _card(name: str, created_at: str, owner: str) -> ModelCard:
    created = int(datetime.fromisoformat(created_at).timestamp())
    return ModelCard(id=name, created=created, owned_by=owner)
