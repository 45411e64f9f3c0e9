"""What became of a request: held until it is known, and the same whoever asks, whenever.

Answers of training ops are the trainer's, which keeps its newest ones; a trainer that died and came
back has them, too. Samples are in the store.
"""

from __future__ import annotations

import asyncio
from functools import partial

from twinkle_jupyter.errors import (
    ConflictError,
    InvalidDataError,
    ServiceUnavailableError,
    TwinkleError,
)
from twinkle_jupyter.runtime.handles import (
    CheckpointSaved,
    ForwardBackwardResult,
    OpAnswer,
    OptimStepResult,
)
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.clients.saved_weights import WeightsPath, finish_save
from twinkle_jupyter.service.error_bodies import log_unexpected
from twinkle_jupyter.service.parts import ServiceParts
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.service.tinker.coming_outcomes import ComingOutcomes
from twinkle_jupyter.service.tinker.future_names import FutureName
from twinkle_jupyter.service.tinker.reply import JSON_TYPE, Reply
from twinkle_jupyter.service.tinker.samples import Samples
from twinkle_jupyter.store.client_rows import ClientAdapterRow
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.wire.tinker_codec import PROTOBUF, encode_loss_output

#: A client reads for 45 s; before that it is told to ask again.
HOLD_S = 30.0
#: Log-probabilities that are encoded within a millisecond.
_SHORT = 512
_SAVES = {
    "weights": "save_weights",
    "sampler_weights": "save_weights_for_sampler",
    "external_weights": "save_weights_external",
}


class Futures:
    """Answers to requests.

    Args:
        parts: Of the service.
        adapters: That clients train.
        samples: Under way and newly done.
        coming: Answers that are awaited already.
        hold_s: How long a client is kept waiting.
    """

    def __init__(
        self,
        parts: ServiceParts,
        adapters: ClientAdapters,
        samples: Samples,
        coming: ComingOutcomes,
        hold_s: float = HOLD_S,
    ) -> None:
        self._parts = parts
        self._adapters = adapters
        self._samples = samples
        self._coming = coming
        #: How long a client is kept waiting.
        self.hold_s = hold_s

    async def retrieve(self, owner: str, name: FutureName, *, as_protobuf: bool) -> Reply | None:
        """Return the answer, or None when it takes longer than a client may be held.

        Raises:
            NotFoundError: This user has no such request.
        """
        if name.kind == "sample":
            return await self._samples.retrieve(
                owner, str(name), self.hold_s, as_protobuf=as_protobuf
            )
        row = await self._adapters.get(owner, name.target)

        async def find() -> Reply:
            return await self._find(row, name, as_protobuf=as_protobuf)

        try:
            return await patiently(find, self.hold_s)
        except ServiceUnavailableError:
            return None
        except TwinkleError as error:
            return Reply.failure(error)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, told by its id
            return Reply.failure(log_unexpected(error))

    async def _find(self, row: ClientAdapterRow, name: FutureName, *, as_protobuf: bool) -> Reply:
        match name.kind:
            case "create_model":
                await self._adapters.made(row)
                return Reply.of({"type": "create_model", "model_id": row.adapter_id})
            case "load_new" | "load_weights":
                return await self._find_load(row, name)
            case "unload_model":
                if not await self._adapters.put_away(row):
                    raise ServiceUnavailableError(f"Model {row.adapter_id!r} is being trained.")
                return Reply.of({"type": "unload_model", "model_id": row.adapter_id})
        answer = await self._outcome(row, name.sequence_id)
        match answer:
            case ForwardBackwardResult() if name.kind == "forward_backward":
                encode = partial(_encode, answer, int(name.detail), as_protobuf=as_protobuf)
                # A way to a thread and back takes longer than a short answer.
                is_short = sum(map(len, answer.logprobs)) <= _SHORT
                return encode() if is_short else await asyncio.to_thread(encode)
            case OptimStepResult() if name.kind == "optim_step":
                return Reply.of({"metrics": _metrics(answer, float.fromhex(name.detail))})
            case CheckpointSaved() if name.kind == "save_weights":
                return await self._finish_save(row, name.detail, answer)
            case _:
                raise ConflictError(f"seq_id={name.sequence_id} was another request.")

    async def _find_load(self, row: ClientAdapterRow, name: FutureName) -> Reply:
        number = name.sequence_id
        if not row.has_loaded(number) or not row.is_made:
            row = await self._adapters.made(row)
        if not row.has_loaded(number):
            raise ServiceUnavailableError(f"Model {row.adapter_id!r} is not loaded yet.")
        failure = row.failed_loads.get(str(number)) if number else None
        if failure is not None:
            raise InvalidDataError(failure)
        path: JSON = name.detail
        return Reply.of({"type": "load_weights", "path": path, "model_id": row.adapter_id})

    async def _finish_save(
        self, row: ClientAdapterRow, detail: str, saved: CheckpointSaved
    ) -> Reply:
        if "/" not in detail:
            return Reply.of({"path": None, "sampling_session_id": detail})
        path = f"tinker://{row.adapter_id}/{detail}"
        await finish_save(self._parts, row.owner, WeightsPath.parse(path))
        kind = _SAVES[detail.partition("/")[0]]
        return Reply.of({"type": kind, "path": path, "size_bytes": saved.size_bytes})

    async def _outcome(self, row: ClientAdapterRow, sequence_id: int) -> OpAnswer:
        row = await self._adapters.get(row.owner, row.adapter_id)
        trainer = await self._adapters.trainer_of(row)
        if sequence_id - row.id_offset < 1:
            raise ConflictError(f"seq_id={sequence_id} was before weights were loaded.")
        return await self._coming.get(row, sequence_id, trainer)


def _encode(answer: ForwardBackwardResult, num_targets: int, *, as_protobuf: bool) -> Reply:
    metrics = {
        "loss:sum": answer.loss_sum,
        "num_tokens:sum": float(answer.num_tokens),
        **{f"{name}:mean": value for name, value in answer.metrics.items()},
    }
    content = encode_loss_output(answer.logprobs, metrics, num_targets, as_protobuf=as_protobuf)
    return Reply(content, PROTOBUF if as_protobuf else JSON_TYPE)


def _metrics(answer: OptimStepResult, learning_rate: float) -> dict[str, JSON]:
    return {
        "grad_norm": answer.grad_norm,
        "learning_rate": learning_rate,
        "step": float(answer.step),
        "step_seconds": answer.seconds,
    }
