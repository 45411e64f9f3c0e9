"""Random calls, compared with a dictionary and a list; the file is closed and opened in between."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twinkle_jupyter.store.interface import JSON, LogEntry, Row
from twinkle_jupyter.store.sqlite import SqliteStore

_keys = st.sampled_from(["a", "a/1", "a/2", "b", "", "a/é"])
_logs = st.sampled_from(["a", "b"])
_json: st.SearchStrategy[JSON] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_rows: st.SearchStrategy[Row] = st.dictionaries(st.text(), _json, max_size=3)


class StoreMachine(RuleBasedStateMachine):
    """The store and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "store.sqlite3"
        self.loop = asyncio.new_event_loop()
        self.store = SqliteStore.open(self.path)
        self.rows: dict[str, Row] = {}
        self.logs: dict[str, list[Row]] = {"a": [], "b": []}

    @rule(key=_keys, row=_rows)
    def put(self, key: str, row: Row) -> None:
        self.loop.run_until_complete(self.store.put(key, row))
        self.rows[key] = row

    @rule(key=_keys, row=_rows)
    def put_if_absent(self, key: str, row: Row) -> None:
        written = self.loop.run_until_complete(self.store.put_if_absent(key, row))
        assert written is (key not in self.rows)
        self.rows.setdefault(key, row)

    @rule(key=_keys, row=_rows)
    def update(self, key: str, row: Row) -> None:
        def change(old: Row | None) -> Row:
            return {"old": old, "new": row}

        expected = change(self.rows.get(key))
        assert self.loop.run_until_complete(self.store.update(key, change)) == expected
        self.rows[key] = expected if key != "a" else row  # keeps the nesting small
        self.loop.run_until_complete(self.store.put(key, self.rows[key]))

    @rule(key=_keys)
    def delete(self, key: str) -> None:
        assert self.loop.run_until_complete(self.store.delete(key)) is (key in self.rows)
        self.rows.pop(key, None)

    @rule(log=_logs, entry=_rows)
    def append(self, log: str, entry: Row) -> None:
        self.logs[log].append(entry)
        position = self.loop.run_until_complete(self.store.append(log, entry))
        assert position == len(self.logs[log])

    @rule(log=_logs, after=st.integers(0, 5), limit=st.integers(1, 3))
    def read(self, log: str, after: int, limit: int) -> None:
        expected = [LogEntry(i + 1, entry) for i, entry in enumerate(self.logs[log])]
        got = self.loop.run_until_complete(self.store.read(log, after, limit))
        assert got == expected[after : after + limit]

    @rule(log=_logs, after=st.integers(0, 5))
    def wait(self, log: str, after: int) -> None:
        got = self.loop.run_until_complete(self.store.wait(log, after, timeout_s=0))
        assert got is (len(self.logs[log]) > after)

    @rule()
    def reopen(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.store = SqliteStore.open(self.path)

    @invariant()
    def rows_are_the_same(self) -> None:
        for prefix in ("", "a/"):
            expected = sorted(item for item in self.rows.items() if item[0].startswith(prefix))
            assert self.loop.run_until_complete(self.store.list_rows(prefix)) == expected

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
