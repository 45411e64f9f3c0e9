"""Which weights a model's name stands for: a base model, an adapter, a checkpoint by its path."""

from __future__ import annotations

from datetime import datetime

from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.service.adapters import list_adapter_runs
from twinkle_jupyter.service.checkpoints import list_checkpoints
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.service.runs import BASE, find_run
from twinkle_jupyter.service.sampling import SampleSource, find_source
from twinkle_jupyter.service.tinker.client_models import list_client_models
from twinkle_jupyter.service.tinker.saved_weights import WeightsPath, find_saved, list_saved
from twinkle_jupyter.store.records import BaseModelRow
from twinkle_jupyter.wire.openai import ModelCard

_TINKER, _TWINKLE = "tinker://", "twinkle://"
#: A base model that is still being loaded.
_LOAD_WAIT_S = 25.0


async def find_model(
    parts: ServiceParts, owner: str, name: str, adapter_uri: str | None
) -> SampleSource:
    """Return what answers.

    Args:
        parts: Of the service.
        owner: Whose adapters may be named.
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
        if path.startswith(_TINKER):
            return await _read_saved(parts, owner, WeightsPath.parse(path))
        if path.startswith(_TWINKLE):
            return await _find_checkpoint(parts, owner, path)
        if adapter_uri is not None:
            raise InvalidDataError(f"adapter_uri={path!r} is no tinker:// or twinkle:// path.")
        if path in await _base_models(parts):
            return SampleSource(await parts.compute(path), owner)
        return await _find_adapter(parts, owner, path)

    return await patiently(find, _LOAD_WAIT_S)


async def list_models(parts: ServiceParts, owner: str) -> list[ModelCard]:
    """Return every name that `find_model` takes for this user."""
    cards = [
        ModelCard(id=name, created=0, owned_by="twinkle") for name in await _base_models(parts)
    ]
    runs = await list_adapter_runs(parts.store, owner)
    named = [(run.adapter, run.created_at) for run in runs if run.checkpoint or not run.is_over]
    trained = await list_client_models(parts, owner)
    named += [(one.row.adapter_id, one.row.created_at) for one in trained]
    named += [(one.row.path, one.row.created_at) for one in await list_saved(parts, owner)]
    return cards + [_card(name, created_at, owner) for name, created_at in named]


async def _base_models(parts: ServiceParts) -> list[str]:
    rows = await parts.store.list_rows(BaseModelRow.PREFIX)
    ready = [BaseModelRow.from_row(row) for _, row in rows]
    names = [
        parts.config.base_model,
        *parts.config.base_models,
        *(row.name for row in ready if row.phase == "ready"),
    ]
    return list(dict.fromkeys(names))


async def _find_adapter(parts: ServiceParts, owner: str, name: str) -> SampleSource:
    try:
        return await find_source(parts, owner, name)
    except NotFoundError as error:
        names = ", ".join(card.id for card in await list_models(parts, owner))
        raise NotFoundError(f"There is no model {name!r}.", f"There are: {names}, {BASE}.") from (
            error
        )


async def _find_of_client(parts: ServiceParts, owner: str, path: str) -> SampleSource | None:
    """Find what a client that trains step by step has saved under a `twinkle://` path."""
    try:
        return await _read_saved(parts, owner, WeightsPath.parse(path))
    except (InvalidDataError, NotFoundError):
        return None


async def _read_saved(parts: ServiceParts, owner: str, path: WeightsPath) -> SampleSource:
    saved = await find_saved(parts, owner, path)
    compute = await parts.compute(saved.base_model)
    return SampleSource(compute, owner, AdapterId(saved.folder), checkpoint=saved.folder)


async def _find_checkpoint(parts: ServiceParts, owner: str, path: str) -> SampleSource:
    """Find `twinkle://RUN/weights/CHECKPOINT`: a run or an adapter, a checkpoint or its label."""
    name, _, rest = path.removeprefix(_TWINKLE).partition("/")
    if (saved := await _find_of_client(parts, owner, path)) is not None:
        return saved
    kind, _, wanted = rest.partition("/")
    if kind != "weights" or not wanted:
        raise InvalidDataError(f"{path!r} is not twinkle://<run>/weights/<checkpoint>.")
    run = await find_run(parts.store, owner, name)
    for one in await list_checkpoints(parts, owner, run.run_id):
        if wanted in (one.name, one.label):
            compute = await parts.compute(str(run.config["base_model"]))
            version = AdapterVersion(one.step)
            return SampleSource(compute, owner, run.adapter_id, version, str(one.folder))
    raise NotFoundError(f"Run {run.run_id} has no checkpoint {wanted!r}.")


def _card(name: str, created_at: str, owner: str) -> ModelCard:
    created = int(datetime.fromisoformat(created_at).timestamp())
    return ModelCard(id=name, created=created, owned_by=owner)
