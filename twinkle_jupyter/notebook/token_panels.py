"""What a cell displays for a row as tokens: live with our panel, coloured text elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from twinkle_jupyter.notebook.panels import WIDGET_MIME, Bundle

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.wire.token_views import TokenViewBody

TOKENS_MIME = "application/vnd.twinkle.tokens+json"
#: Tokens of the static picture at most.
_MAX_DRAWN = 2000
#: Tints that are readable on light and dark.
_TINTS = {
    "system": "rgba(128,128,128,0.18)",
    "user": "rgba(63,131,214,0.18)",
    "assistant": "rgba(34,136,51,0.18)",
    "tool": "rgba(217,130,43,0.2)",
}

Message = Mapping[str, object]


def token_bundle(title: str, messages: Sequence[Message], view: TokenViewBody) -> Bundle:
    """Return the row for every front end; it holds the row's own text."""
    return {
        TOKENS_MIME: {
            "title": title,
            "messages": list(messages),
            "view": view.model_dump(mode="json"),
        },
        "text/html": _html(title, view),
        "text/plain": token_line(title, view),
    }


def live_token_bundle(
    client: Client, title: str, messages: Sequence[Message], view: TokenViewBody
) -> Bundle:
    """Return the bundle with a widget too, for front ends without our extension."""
    bundle = token_bundle(title, messages, view)
    from twinkle_jupyter.notebook.asking_widget import asking_widget_view

    widget = asking_widget_view(client, bundle[TOKENS_MIME])
    return {**bundle, WIDGET_MIME: widget}


def token_line(title: str, view: TokenViewBody) -> str:
    """Return the row as one line of text."""
    count = len(view.tokens.id)
    cut = max(0, count - view.max_length) if view.max_length is not None else 0
    said = f"{title}: {count} tokens, {view.num_learned} learned"
    return f"{said}, {cut} cut at {view.max_length}" if cut else said


def _html(title: str, view: TokenViewBody) -> str:
    tokens = view.tokens
    looks = zip(tokens.role, tokens.weight, tokens.text, strict=True)
    numbered = itertools.islice(enumerate(looks), _MAX_DRAWN)
    limit = len(tokens.id) if view.max_length is None else view.max_length
    groups = itertools.groupby(numbered, lambda one: (one[1][0], one[1][1] > 0, one[0] >= limit))
    drawn = "".join(
        _stretch(look, "".join(text for _, (_, _, text) in stretch)) for look, stretch in groups
    )
    return (
        f"<div><strong>{escape(token_line(title, view))}</strong>"
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace;'
        f'line-height:1.9">{drawn}</div><small>Underlined: learned. Struck out: cut.</small></div>'
    )


def _stretch(look: tuple[str, bool, bool], text: str) -> str:
    role, is_learned, is_cut = look
    line = "line-through" if is_cut else "underline" if is_learned else "none"
    style = f"background:{_TINTS.get(role, 'none')};text-decoration:{line}"
    return f'<span title="{escape(role)}" style="{style}">{escape(text)}</span>'
