"""What a cell displays for the adapters: a live table with our panel, one with code elsewhere."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.client.adapter import Adapter
from twinkle_jupyter.notebook.cell_value import Listing
from twinkle_jupyter.notebook.panels import WIDGET_MIME, Bundle
from twinkle_jupyter.notebook.session import Table
from twinkle_jupyter.notebook.tables import code_html, table_plain

if TYPE_CHECKING:
    from twinkle_jupyter.client.client import Client
    from twinkle_jupyter.wire.native import AdapterBody, AdapterDetailsBody

ADAPTERS_MIME = "application/vnd.twinkle.adapters+json"
HEADINGS = ("adapter", "from", "rank", "base model", "step", "state", "where", "on disk", "until")
_PLACES = {"active": "in a slot", "resident": "in memory", "stored": "on disk", "": ""}
_CELL = 'style="text-align:left;vertical-align:top;padding:2px 12px 2px 0"'


class AdapterListing(Listing[Adapter]):
    """Adapters that look like the panel of them."""

    def __init__(self, client: Client, found: Sequence[AdapterBody], table: Table) -> None:
        super().__init__((Adapter(client, one.name) for one in found), table)
        self._client = client
        self._found = found

    def bundle(self) -> dict[str, object]:
        """Return the panel."""
        return live_adapters_bundle(self._client, self._found, self.table)


def adapters_table(found: Sequence[AdapterBody], note: str) -> Table:
    """Return the adapters as a table, children below their parents."""
    rows = [_cells(one, depth) for one, depth in by_lineage(found)]
    return Table("Adapters", HEADINGS, rows, note)


def adapters_bundle(found: Sequence[AdapterBody], table: Table) -> Bundle:
    """Return the adapters for every front end; needs neither kernel nor service."""
    return {
        ADAPTERS_MIME: {
            "adapters": [one.model_dump(mode="json") for one in found],
            "export_folder": str(Path.cwd()),
            "at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        },
        "text/html": _html(found, table),
        "text/plain": table_plain(table),
    }


def live_adapters_bundle(client: Client, found: Sequence[AdapterBody], table: Table) -> Bundle:
    """Return the bundle with a widget too, for front ends without our extension."""
    bundle = adapters_bundle(found, table)
    from twinkle_jupyter.notebook.asking_widget import asking_widget_view

    return {**bundle, WIDGET_MIME: asking_widget_view(client, bundle[ADAPTERS_MIME])}


def by_lineage(found: Sequence[AdapterBody]) -> list[tuple[AdapterBody, int]]:
    """Return each adapter below the one that it went on from, with how deep it stands."""
    names = {one.name for one in found}
    children: defaultdict[str, list[AdapterBody]] = defaultdict(list)
    for one in reversed(found):
        parent = _parent(one)
        children[parent if parent in names and parent != one.name else ""].append(one)
    placed: dict[str, tuple[AdapterBody, int]] = {}
    waiting = [(one, 0) for one in children.pop("", [])]
    while waiting:
        one, depth = waiting.pop()
        placed.setdefault(one.name, (one, depth))
        waiting += [(child, depth + 1) for child in children.pop(one.name, [])]
    # Two that went on from each other, as an adapter that was trained again can have.
    rest = [(one, 0) for one in found if one.name not in placed]
    return [*placed.values(), *rest]


def adapter_code(one: AdapterBody) -> str:
    """Return a program that asks the adapter, with the service and without it."""
    lines = [
        "from twinkle_jupyter import connect",
        "",
        f"adapter = connect().adapter({json.dumps(one.name)})",
        'print(adapter.sample("Who are you?"))',
    ]
    if one.folder:
        lines += [
            "",
            "# Without the service:",
            "from peft import PeftModel",
            "from transformers import AutoModelForCausalLM",
            "",
            f"base = AutoModelForCausalLM.from_pretrained({json.dumps(one.base_model)})",
            f"model = PeftModel.from_pretrained(base, {json.dumps(one.folder)})",
        ]
    return "\n".join(lines)


def _parent(one: AdapterBody) -> str:
    return one.details.parent if one.details is not None else ""


def _cells(one: AdapterBody, depth: int) -> tuple[str, ...]:
    origin = f" ({one.origin})" if one.origin != "run" else ""
    start = (
        f"{'  ' * (depth - 1)}\u21b3 {one.name}" if depth else one.name,
        _lineage(one),
        str(one.rank),
        Path(one.base_model).name,
        str(one.step),
        f"{one.state}{origin}",
    )
    return (*start, *_detail_cells(one.details))


def _lineage(one: AdapterBody) -> str:
    details = one.details
    return f"{details.parent}@{details.parent_step}" if details and details.parent else ""


def _detail_cells(details: AdapterDetailsBody | None) -> tuple[str, str, str]:
    if details is None:  # an older service
        return ("", "", "")
    size = f"{details.size_bytes / 1e6:,.1f} MB" if details.size_bytes else ""
    several = f" in {details.num_checkpoints}" if details.num_checkpoints > 1 else ""
    until = details.expires_at[:16].replace("T", " ")
    return _PLACES[details.place], f"{size}{several}" if size else "", until


def _html(found: Iterable[AdapterBody], table: Table) -> str:
    head = "".join(f'<th scope="col" {_CELL}>{name}</th>' for name in (*HEADINGS, "code"))
    bodies = [one for one, _ in by_lineage(list(found))]
    rows = "".join(
        f"<tr>{_row(cells)}<td {_CELL}>{_code(one)}</td></tr>"
        for one, cells in zip(bodies, table.rows, strict=True)
    )
    note = f"<div><small>{code_html(table.note)}</small></div>" if table.note else ""
    thead = f"<thead><tr>{head}</tr></thead>" if rows else ""
    return (
        f"<div><strong>{escape(table.title)}</strong>"
        f"<table>{thead}<tbody>{rows}</tbody></table>{note}</div>"
    )


def _row(cells: Sequence[str]) -> str:
    first = f'<th scope="row" style="text-align:left;white-space:pre">{escape(cells[0])}</th>'
    return first + "".join(f"<td {_CELL}>{escape(cell)}</td>" for cell in cells[1:])


def _code(one: AdapterBody) -> str:
    """Fold a program away that a reader of a page without our panel can copy."""
    text = escape(adapter_code(one))
    return f"<details><summary>show</summary><pre>{text}</pre></details>"
