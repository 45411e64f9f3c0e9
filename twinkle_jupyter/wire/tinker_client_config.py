"""How a stock client of the Tinker protocol is to behave, which it asks for as it begins."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

#: What a client is told about itself: nothing is dispatched in pieces that one request can hold.
CLIENT_CONFIG: Mapping[str, JsonValue] = {
    "fwdbwd_max_chunk_len": 4096,
    "fwdbwd_max_chunk_bytes_count": 32_000_000,
    "proto_write_fwdbwd": True,
    "fwd_via_fwdbwd": True,
    "sample_max_concurrent_requests": 256,
}
#: And again from time to time.
DYNAMIC_CONFIG: Mapping[str, JsonValue] = {
    "refresh_interval_sec": 300,
    "sample_cancel_enabled": True,
}
