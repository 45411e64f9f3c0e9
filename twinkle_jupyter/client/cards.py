"""What an object says of itself in a notebook and in a terminal: a title and pairs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_NAME = 'style="text-align:left;padding:2px 12px 2px 0"'
_VALUE = 'style="text-align:left;padding:2px 0;white-space:pre-wrap"'


def card(title: str, pairs: Mapping[str, str]) -> dict[str, str]:
    """Return HTML in the page's own colours, and plain text; empty values are left out."""
    shown = {name: value for name, value in pairs.items() if value}
    rows = "".join(
        f'<tr><th scope="row" {_NAME}>{escape(name)}</th><td {_VALUE}>{escape(value)}</td></tr>'
        for name, value in shown.items()
    )
    width = max(map(len, shown), default=0)
    lines = [title, *(f"  {name.ljust(width)}  {value}" for name, value in shown.items())]
    table = f"<table><tbody>{rows}</tbody></table>"
    return {
        "text/html": f"<div><strong>{escape(title)}</strong>{table}</div>",
        "text/plain": "\n".join(lines),
    }
