"""An op on its way to the trainer, under the sequence id that it has there."""

from __future__ import annotations

from dataclasses import replace

from twinkle_jupyter.errors import InvalidDataError, NotFoundError
from twinkle_jupyter.runtime.handles import Op
from twinkle_jupyter.service.clients.client_adapters import ClientAdapters
from twinkle_jupyter.service.patience import patiently
from twinkle_jupyter.store.client_rows import ClientAdapterRow

#: How long a client is kept before it is told to send an op again.
ACCEPT_WAIT_S = 25.0


async def hand_over(adapters: ClientAdapters, row: ClientAdapterRow, op: Op) -> ClientAdapterRow:
    """Hand an op that was let in to the trainer; return the adapter as it is there.

    Raises:
        InvalidDataError: The client's sequence id is before the newest load of weights.
        ServiceUnavailableError: There is no trainer now; the client sends it again.
        ConflictError: Another op was sent under that id.
    """

    async def once() -> ClientAdapterRow:
        made = await adapters.made(await adapters.get(row.owner, row.adapter_id))
        sequence_id = op.sequence_id - made.id_offset
        if sequence_id < 1:
            raise InvalidDataError(
                f"seq_id={op.sequence_id} of model {row.adapter_id!r} was before its weights were"
                " loaded."
            )
        await (await adapters.trainer_of(made)).accept(replace(op, sequence_id=sequence_id))
        return made

    async def once_found() -> ClientAdapterRow:
        try:
            return await once()
        except NotFoundError:
            if not await adapters.found_again(row):
                raise
            return await once()

    return await patiently(once_found, ACCEPT_WAIT_S)
