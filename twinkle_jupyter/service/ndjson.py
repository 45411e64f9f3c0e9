"""Answers of a line of JSON each, which end their source the moment the client leaves."""

from __future__ import annotations

from twinkle_jupyter.service.sse import EventStream


class LineStream(EventStream):
    """Sends lines as they come; closes their source when all are sent or the client left."""

    media_type = "application/x-ndjson"
