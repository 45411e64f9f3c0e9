"""The adapters in a cell: below what they came from, readable without kernel and script."""

from __future__ import annotations

import json

from twinkle_jupyter.notebook.adapter_panels import (
    ADAPTERS_MIME,
    adapter_code,
    adapters_bundle,
    adapters_table,
    by_lineage,
)
from twinkle_jupyter.wire.native import AdapterBody, AdapterDetailsBody


def _adapter(name: str, parent: str = "", *, folder: str = "") -> AdapterBody:
    details = AdapterDetailsBody(
        place="stored" if folder else "",
        size_bytes=3_000_000 if folder else 0,
        num_checkpoints=2 if folder else 0,
        expires_at="2030-01-02T03:04:05+00:00" if folder else "",
        parent=parent,
        parent_step=40 if parent else 0,
        updated_at="",
    )
    return AdapterBody(
        name=name,
        adapter_id=f"adapter_{name}",
        base_model="/models/tiny",
        rank=8,
        alpha=16,
        run_id="run_1",
        state="finished",
        step=60,
        folder=folder,
        details=details,
    )


def test_children_stand_below_their_parents_and_a_circle_ends() -> None:
    found = [_adapter("ada", "pirate"), _adapter("bob", "gone"), _adapter("pirate")]
    circle = [_adapter("a", "b"), _adapter("b", "a"), _adapter("self", "self")]

    assert [(one.name, depth) for one, depth in by_lineage(found)] == [
        ("bob", 0),
        ("pirate", 0),
        ("ada", 1),
    ]
    assert {one.name for one, _ in by_lineage(circle)} == {"a", "b", "self"}
    # Each went on from the one before: deeper than Python's own stack.
    chain = [_adapter(f"v{n}", f"v{n - 1}") for n in range(2_000)]
    assert [depth for _, depth in by_lineage(chain[::-1])] == list(range(2_000))


def test_the_static_table_says_everything_and_has_the_code_folded_away() -> None:
    found = [_adapter("<ada>", "pirate", folder="/w/ada"), _adapter("pirate")]
    table = adapters_table(found, "")

    bundle = adapters_bundle(found, table)

    assert table.rows[1] == (
        *("\u21b3 <ada>", "pirate@40", "8", "tiny", "60", "finished"),
        *("on disk", "3.0 MB in 2", "2030-01-02 03:04"),
    )
    html = str(bundle["text/html"])
    assert "<ada>" not in html
    assert "<details>" in html
    assert "<script" not in html
    content = bundle[ADAPTERS_MIME]
    assert isinstance(content, dict)
    assert [one["name"] for one in content["adapters"]] == ["<ada>", "pirate"]
    json.dumps(content)


def test_the_code_is_python_and_needs_weights_for_peft() -> None:
    for folder in ("", "/w/ada"):
        code = adapter_code(_adapter('a"da', folder=folder))
        compile(code, "cell", "exec")
        assert ("PeftModel" in code) == bool(folder)
