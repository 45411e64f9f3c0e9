"""Tables as HTML and as plain text."""

from __future__ import annotations

from html import escape

from twinkle_jupyter.notebook.session import Table

_CELL = 'style="text-align:left;padding:2px 12px 2px 0;white-space:pre-wrap"'


def table_html(table: Table) -> str:
    """Return the table as HTML that follows the page's own colours."""
    head = "".join(f'<th scope="col" {_CELL}>{escape(name)}</th>' for name in table.headings)
    rows = "".join(f"<tr>{_row_html(row, is_pair=not table.headings)}</tr>" for row in table.rows)
    note = f"<div><small>{code_html(table.note)}</small></div>" if table.note else ""
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return (
        f"<div><strong>{escape(table.title)}</strong>"
        f"<table>{thead}<tbody>{rows}</tbody></table>{note}</div>"
    )


def table_plain(table: Table) -> str:
    """Return the table as aligned text."""
    rows = [table.headings, *table.rows] if table.headings else list(table.rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(filter(None, [table.title, *(f"  {line}" for line in lines), table.note]))


def code_html(text: str) -> str:
    """Escape text and set what stands between backticks in a fixed-width font."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:  # an odd backtick is only a backtick
        return escape(text)
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _row_html(row: tuple[str, ...], *, is_pair: bool) -> str:
    first = f'<th scope="row" {_CELL}>{escape(row[0])}</th>'
    cells = [f"<td {_CELL}>{escape(cell)}</td>" for cell in row]
    return "".join([first if is_pair else cells[0], *cells[1:]])
