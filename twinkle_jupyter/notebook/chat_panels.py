"""What a cell displays for a chat: one to four models side by side."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from twinkle_jupyter.notebook.panels import WIDGET_MIME, Bundle

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client

CHAT_MIME = "application/vnd.twinkle.chat+json"


def chat_bundle(models: Sequence[str], system: str, settings: Mapping[str, float]) -> Bundle:
    """Return an empty chat for every front end; the panel adds what is said."""
    said = f"A chat with {', '.join(models)}: it needs JupyterLab, or a notebook's live kernel."
    return {
        CHAT_MIME: {
            "chat_id": f"chat-{secrets.token_hex(6)}",
            "models": list(models),
            "system": system,
            "settings": dict(settings),
            "turns": [],
        },
        "text/html": f"<p>{escape(said)}</p>",
        "text/plain": said,
    }


def live_chat_bundle(
    client: Client, models: Sequence[str], system: str, settings: Mapping[str, float]
) -> Bundle:
    """Return the bundle with a widget too, for front ends without our extension."""
    bundle = chat_bundle(models, system, settings)
    from twinkle_jupyter.notebook.asking_widget import asking_widget_view

    widget = asking_widget_view(client, bundle[CHAT_MIME])
    return {**bundle, WIDGET_MIME: widget}
