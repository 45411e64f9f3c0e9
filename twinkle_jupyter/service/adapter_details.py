"""What a list of adapters says of each on demand: its place, its size on disk, its parent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.service.checkpoints import list_checkpoints
from twinkle_jupyter.service.clients.client_models import ClientModel
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.trainer_status import ask_trainers
from twinkle_jupyter.store.records import RunRow
from twinkle_jupyter.wire.native import AdapterBody, AdapterDetailsBody

#: A trainer that does not answer so soon is in a long step: a list does not wait for it.
_STATUS_S = 2.0


async def with_details(
    parts: ServiceParts,
    bodies: Sequence[AdapterBody],
    runs: Sequence[RunRow],
    models: Sequence[ClientModel],
) -> list[AdapterBody]:
    """Return the bodies, which are of the runs and then of the models, with their details."""
    statuses = await ask_trainers(parts, _STATUS_S)
    places = {adapter: place for one in statuses for adapter, place in one.places.items()}
    details = [await _of_run(parts, run) for run in runs]
    details += [_of_model(model) for model in models]
    filled = []
    for body, one in zip(bodies, details, strict=True):
        place = places.get(AdapterId(body.adapter_id), "stored" if body.folder else "")
        told = one.model_copy(update={"place": place})
        filled.append(body.model_copy(update={"details": told}))
    return filled


async def _of_run(parts: ServiceParts, run: RunRow) -> AdapterDetailsBody:
    try:
        checkpoints = await list_checkpoints(parts, run.owner, run.run_id)
    except NotFoundError:  # one was deleted meanwhile
        checkpoints = []
    parent = await parts.store.get(RunRow.key(run.parent_run)) if run.parent_run else None
    return AdapterDetailsBody(
        place="",
        size_bytes=sum(one.size_bytes for one in checkpoints),
        num_checkpoints=len(checkpoints),
        expires_at=_first_end(one.expires_at for one in checkpoints),
        parent=RunRow.from_row(parent).adapter if parent is not None else "",
        parent_step=run.parent_step,
        updated_at=run.updated_at,
    )


def _of_model(model: ClientModel) -> AdapterDetailsBody:
    return AdapterDetailsBody(
        place="",
        size_bytes=sum(one.size_bytes for one in model.saved),
        num_checkpoints=len(model.saved),
        expires_at=_first_end(one.row.expires_at for one in model.saved),
        parent="",
        parent_step=0,
        updated_at=model.saved[0].row.created_at if model.saved else model.row.created_at,
    )


def _first_end(ends: Iterable[str]) -> str:
    return min(filter(None, ends), default="")
