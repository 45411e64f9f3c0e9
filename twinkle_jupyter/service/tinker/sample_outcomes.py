"""What came of a sample: as a row that is final, and as a client that asks is answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

from twinkle_jupyter.errors import NotFoundError, TwinkleError, error_from_fields
from twinkle_jupyter.service.tinker.reply import Reply
from twinkle_jupyter.store.interface import JSON
from twinkle_jupyter.store.sample_rows import SampleRow
from twinkle_jupyter.wire.tinker_codec import PROTOBUF
from twinkle_jupyter.wire.tinker_samples import (
    PromptPart,
    SampledTokens,
    encode_json,
    encode_protobuf,
)


def answered(row: SampleRow, samples: Sequence[SampledTokens], prompt: PromptPart) -> SampleRow:
    """Return the row of a sample that was written, in both forms of the protocol."""
    return row.changed(
        state="done",
        as_json=json.dumps(encode_json(samples, prompt)),
        as_protobuf=base64.b64encode(encode_protobuf(samples, prompt)).decode(),
    )


def failed(row: SampleRow, error: TwinkleError) -> SampleRow:
    """Return the row of a sample that will not be written."""
    fields: Mapping[str, JSON] = error.as_fields()
    return row.changed(state="failed", error=fields)


def reply_of(row: SampleRow, *, as_protobuf: bool) -> Reply:
    """Return what is told of a sample that is over: the same to everybody, every time."""
    if row.state == "cancelled":
        return Reply.failure(NotFoundError("The sample was cancelled."))
    if row.state == "failed":
        return Reply.failure(error_from_fields(row.error))
    if as_protobuf:
        return Reply(base64.b64decode(row.as_protobuf), PROTOBUF)
    return Reply(row.as_json.encode())
