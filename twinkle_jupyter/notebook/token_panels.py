"""What a cell displays for a row as tokens: live with our panel, coloured text elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def token_bundle(title: str, read: Mapping[str, object], view: TokenViewBody) -> Bundle:
    """Return the row for every front end; it holds the row's own text.

    Args:
        title: What the row is called.
        read: `messages`, `tools` and `reasoning` of `POST /tokens`, with which the panel asks for
            the row under another rule.
        view: The row as it was answered.
    """
    return {
        TOKENS_MIME: {"title": title, **read, "view": view.model_dump(mode="json")},
        "text/html": _html(title, view),
        "text/plain": token_line(title, view),
    }


def live_token_bundle(
    client: Client, title: str, read: Mapping[str, object], view: TokenViewBody
) -> Bundle:
    """Return the bundle with a widget too, for front ends without our extension."""
    bundle = token_bundle(title, read, view)
    from twinkle_jupyter.notebook.asking_widget import asking_widget_view

    widget = asking_widget_view(client, bundle[TOKENS_MIME])
    return {**bundle, WIDGET_MIME: widget}


def token_line(title: str, view: TokenViewBody) -> str:
    """Return the row as one line of text."""
    count = len(view.tokens.id)
    cut = max(0, count - view.max_length) if view.max_length is not None else 0
    said = f"{title}: {count} tokens, {view.num_learned} learned"
    if cut:
        said += f", {cut} cut at {view.max_length}"
    return said + _mean_line(view)


def _mean_line(view: TokenViewBody) -> str:
    """Say how likely the learned tokens are, on average; empty where that was not asked for."""
    means = [
        f"{mean:.2f} with {name}"
        for name, mean in (
            (view.adapter, _mean_learned(view, view.tokens.logprob)),
            ("the base model", _mean_learned(view, view.tokens.base_logprob)),
        )
        if mean is not None
    ]
    return f", mean log-probability {', '.join(means)}" if means else ""


def _mean_learned(view: TokenViewBody, logprobs: Sequence[float | None]) -> float | None:
    pairs = zip(logprobs, view.tokens.weight, strict=False)
    known = [value for value, weight in pairs if value is not None and weight > 0]
    return sum(known) / len(known) if known else None


def _html(title: str, view: TokenViewBody) -> str:
    tokens = view.tokens
    looks = zip(tokens.role, tokens.weight, tokens.text, strict=True)
    numbered = itertools.islice(enumerate(looks), _MAX_DRAWN)
    limit = len(tokens.id) if view.max_length is None else view.max_length

    def look_of(one: tuple[int, tuple[str, float, str]]) -> _Look:
        place, (role, weight, _) = one
        return _Look(role, weight > 0, place >= limit, _say_likely(view, place))

    groups = itertools.groupby(numbered, look_of)
    drawn = "".join(
        _stretch(look, "".join(text for _, (_, _, text) in stretch)) for look, stretch in groups
    )
    return (
        f"<div><strong>{escape(token_line(title, view))}</strong>"
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace;'
        f'line-height:1.9">{drawn}</div><small>Underlined: learned. Struck out: cut.</small></div>'
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """What tokens side by side have in common."""

    role: str
    is_learned: bool
    is_cut: bool
    #: How likely a token is; empty where that is not known.
    likely: str


def _say_likely(view: TokenViewBody, place: int) -> str:
    """Say how likely a token is with the adapter and with the base model."""
    said = [
        f"{logprobs[place]:.2f} with {name}"
        for name, logprobs in (
            (view.adapter, view.tokens.logprob),
            ("the base model", view.tokens.base_logprob),
        )
        if logprobs and logprobs[place] is not None
    ]
    return f", log-probability {', '.join(said)}" if said else ""


def _stretch(look: _Look, text: str) -> str:
    line = "line-through" if look.is_cut else "underline" if look.is_learned else "none"
    style = f"background:{_TINTS.get(look.role, 'none')};text-decoration:{line}"
    title = escape(f"{look.role}{look.likely}")
    return f'<span title="{title}" style="{style}">{escape(text)}</span>'
