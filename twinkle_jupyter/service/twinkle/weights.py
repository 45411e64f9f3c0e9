"""Checkpoints by the names that clients of the Twinkle protocol have for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.service.adapter_files import is_loopback
from twinkle_jupyter.service.asker import Asker
from twinkle_jupyter.service.clients.readable_weights import find_readable
from twinkle_jupyter.service.clients.saved_weights import (
    SavedWeights,
    WeightsPath,
    delete_saved,
    find_saved,
    finish_save,
    list_saved,
    plan_save,
)
from twinkle_jupyter.service.parts import ServedModel, ServiceParts
from twinkle_jupyter.service.sampling import SampleSource
from twinkle_jupyter.service.twinkle.state import TwinkleState
from twinkle_jupyter.service.weights_by_path import find_weights_of_path
from twinkle_jupyter.store.client_rows import (
    ClientAdapterRow,
    SavedWeightsRow,
    WeightsKind,
    WeightsToLoad,
)
from twinkle_jupyter.store.interface import JSON, Row
from twinkle_jupyter.store.training_setups import TrainingSetupRow
from twinkle_jupyter.wire.tinker_bodies import SaveWeightsBody, is_name
from twinkle_jupyter.wire.twinkle_bodies import SaveBody, clean_checkpoint_name

#: What the newest weights to sample from are also called.
LATEST = "latest"
#: Weights to sample from that stay when newer ones come: somebody may be reading the last ones.
_KEPT = 2
_PROGRESS = ("cur_step", "consumed_train_samples", "gradient_accumulation_steps")


def twinkle_path(row: SavedWeightsRow) -> str:
    """Return the name of saved weights."""
    return f"twinkle://{row.adapter_id}/{row.kind}/{row.name}"


def folder_for_client(parts: ServiceParts, row: SavedWeightsRow) -> str:
    """Return where they lie, to a client on this machine; to others their name, which does too."""
    return row.folder if is_loopback(parts.config.http.host) else twinkle_path(row)


async def save(state: TwinkleState, row: ClientAdapterRow, body: SaveBody) -> SavedWeightsRow:
    """Save weights, optimizer, schedule and progress; return once they are whole.

    Raises:
        InvalidDataError: The name is none for a checkpoint.
        RunFailedError: They could not be written.
    """
    kind: WeightsKind = "sampler_weights" if body.is_sampler else "weights"
    moment = datetime.now(tz=UTC).strftime("%Y%m%d_%H%M%S_%f")
    name = moment if body.is_sampler or body.name is None else clean_checkpoint_name(body.name)
    if not is_name(name) or name == LATEST:
        raise InvalidDataError(
            f"name={body.name!r} is no name for a checkpoint.",
            "Letters, digits, _ and - after the first, at most 128.",
        )
    async with state.turns.of(row):
        setup = await state.setups.change(row, consumed_train_samples=body.consumed_train_samples)
        metadata = _metadata(setup)

        def body_of(number: int) -> SaveWeightsBody:
            return SaveWeightsBody(
                model_id=row.adapter_id,
                path=name,
                seq_id=number,
                overwrite=True,
                user_metadata=metadata,
            )

        place = await state.turns.next(row)
        op = await plan_save(state.parts, row, kind, body_of(place.number), name)
        await state.turns.run(row, lambda number: replace(op, sequence_id=number), place)
        path = WeightsPath(row.adapter_id, kind, name)
        await finish_save(state.parts, row.owner, path)
    if body.is_sampler:
        await _delete_older(state.parts, row)
    return await find_saved(state.parts, row.owner, path)


async def load(
    state: TwinkleState, asker: Asker, row: ClientAdapterRow, name: str, *, with_optimizer: bool
) -> SavedWeightsRow:
    """Put saved weights into an adapter, with optimizer and schedule if these are wanted.

    Raises:
        NotFoundError: There are none of that name.
        InvalidDataError: They are of another base model, or the name is none.
    """
    saved = await find_weights(state.parts, asker, name)
    if saved.base_model != row.base_model:
        raise InvalidDataError(
            f"Checkpoint {name!r} is of base model {saved.base_model!r}, not {row.base_model!r}."
        )
    kept = cast("Row", saved.user_metadata.get("optimizer", {}))
    async with state.turns.of(row):
        groups = tuple(asker.groups)
        weights = WeightsToLoad(saved.path, saved.folder, with_optimizer, groups=groups)
        await state.turns.load(row, weights)

        def change(setup: TrainingSetupRow) -> TrainingSetupRow:
            changed = setup.without_gradient()
            return changed.changed(**kept) if with_optimizer else changed

        await state.setups.update(row, change)
        await state.setups.forget_pass(row)
    return saved


async def resume(
    state: TwinkleState, asker: Asker, row: ClientAdapterRow, name: str, *, only_weights: bool
) -> Mapping[str, JSON]:
    """Go on from a checkpoint; return how far its training was."""
    saved = await load(state, asker, row, name, with_optimizer=not only_weights)
    progress = {key: saved.user_metadata[key] for key in _PROGRESS if key in saved.user_metadata}
    if not only_weights:
        await state.setups.change(row, **progress)
    return {**dict.fromkeys(_PROGRESS, 0), _PROGRESS[-1]: 1, **progress}


async def find_weights(parts: ServiceParts, asker: Asker, name: str) -> SavedWeightsRow:
    """Return saved weights by path, which may be another user's, or by the folder told of them.

    Raises:
        InvalidDataError: It is neither; nothing is ever read from elsewhere.
        NotFoundError: There are none of that name that this user may read.
    """
    owner = asker.owner
    if "://" not in name:
        for one in await list_saved(parts, owner):
            if one.row.folder == name:
                return one.row
        raise InvalidDataError(
            f"{name!r} is not the path of a checkpoint: nothing is loaded from folders or hubs.",
            "Pass the twinkle:// path that save() returned.",
        )
    path = WeightsPath.parse(name)
    if path.name == LATEST:
        return (await _newest(parts, owner, path)).row
    try:
        return await find_readable(parts, asker, path)
    except NotFoundError as error:
        raise NotFoundError(f"There is no checkpoint {name!r}.") from error


async def find_one(
    parts: ServiceParts, asker: Asker, run_id: str, checkpoint_id: str
) -> SavedWeightsRow:
    """Return one of a run's checkpoints, named as in `weights/NAME`."""
    return await find_weights(parts, asker, f"twinkle://{run_id}/{checkpoint_id}")


async def delete_one(parts: ServiceParts, owner: str, run_id: str, checkpoint_id: str) -> None:
    """Delete a checkpoint; raises NotFoundError where there is none."""
    row = await find_one(parts, Asker(owner), run_id, checkpoint_id)
    await delete_saved(parts, owner, WeightsPath(row.adapter_id, row.kind, row.name))


async def find_source(
    parts: ServiceParts, asker: Asker, served: ServedModel, base_model: str, uri: str
) -> SampleSource:
    """Return what a sampler of this base model answers with: weights of a client, or of a run.

    Raises:
        InvalidDataError: They are of another base model, or the path is none.
        NotFoundError: There are none.
    """
    try:
        saved = await find_weights(parts, asker, uri)
    except NotFoundError as error:
        try:
            found = await find_weights_of_path(parts, asker, uri)
        except NotFoundError:
            raise error from None
        model, source = found.base_model, (found.adapter_id, found.version, str(found.folder))
    else:
        model, source = saved.base_model, (AdapterId(saved.folder), None, saved.folder)
    if model != base_model:
        raise InvalidDataError(
            f"adapter_uri={uri!r} is of base model {model!r}, and this sampler has {base_model!r}."
        )
    return SampleSource(served, asker.owner, *source)


async def _newest(parts: ServiceParts, owner: str, path: WeightsPath) -> SavedWeights:
    for one in await list_saved(parts, owner, path.adapter_id):
        if one.row.kind == path.kind:
            return one
    raise NotFoundError(f"Adapter {path.adapter_id!r} has no {path.kind}.")


async def _delete_older(parts: ServiceParts, row: ClientAdapterRow) -> None:
    saved = await list_saved(parts, row.owner, row.adapter_id)
    older = [one.row for one in saved if one.row.kind == "sampler_weights"][_KEPT:]
    for one in older:
        await delete_saved(parts, row.owner, WeightsPath(one.adapter_id, one.kind, one.name))


def _metadata(setup: TrainingSetupRow) -> dict[str, JSON]:
    """Return what a checkpoint keeps beside the trainer's own."""
    row = setup.to_row()
    progress = {name: row[name] for name in _PROGRESS}
    return {"adapter_name": setup.adapter_name, **progress, "optimizer": setup.optimizer_state}
