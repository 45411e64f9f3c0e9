"""Random calls, compared with a dictionary and lists; the store is opened anew in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.store.conftest import OpenStore
from twinkle_jupyter.store.interface import JSON, LogEntry, Row
from twinkle_jupyter.store.memory import MemoryStore

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

    def __init__(self, open_store: OpenStore) -> None:
        super().__init__()
        self.open_store = open_store
        self.loop = asyncio.new_event_loop()
        self.store = open_store()
        self.rows: dict[str, Row] = {}
        self.logs: dict[str, list[Row]] = {"a": [], "b": []}
        #: Entries up to these are forgotten.
        self.gone = {"a": 0, "b": 0}

    @rule(key=_keys, row=_rows)
    def put(self, key: str, row: Row) -> None:
        self.loop.run_until_complete(self.store.put(key, row))
        self.rows[key] = row

    @rule(key=_keys, row=_rows)
    def put_if_absent(self, key: str, row: Row) -> None:
        written = self.loop.run_until_complete(self.store.put_if_absent(key, row))
        assert written is (key not in self.rows)
        self.rows.setdefault(key, row)

    @rule(key=_keys, row=_rows, ttl_s=st.sampled_from([0.0, 3600.0]), is_known=st.booleans())
    def replace(self, key: str, row: Row, ttl_s: float, is_known: bool) -> None:
        before = self.rows.get(key, {}) if is_known else {"never": "there"}
        done = self.loop.run_until_complete(self.store.replace(key, before, row, ttl_s=ttl_s))
        assert done is (is_known and key in self.rows)
        if done and ttl_s:
            self.rows[key] = row
        elif done:
            del self.rows[key]

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

    @rule(log=_logs, entries=st.lists(_rows, min_size=1, max_size=3))
    def append_all(self, log: str, entries: list[Row]) -> None:
        self.logs[log] += entries
        position = self.loop.run_until_complete(self.store.append_all(log, entries))
        assert position == len(self.logs[log])

    @rule(log=_logs, through=st.integers(0, 6))
    def truncate(self, log: str, through: int) -> None:
        self.loop.run_until_complete(self.store.truncate(log, through))
        last = len(self.logs[log])
        self.gone[log] = max(self.gone[log], min(through, last - 1))

    @rule(log=_logs, after=st.integers(0, 5), limit=st.integers(1, 3))
    def read(self, log: str, after: int, limit: int) -> None:
        expected = [LogEntry(i + 1, entry) for i, entry in enumerate(self.logs[log])][after:]
        got = self.loop.run_until_complete(self.store.read(log, after, limit))
        assert got == [one for one in expected if one.position > self.gone[log]][:limit]

    @rule(log=_logs, after=st.integers(0, 5))
    def wait(self, log: str, after: int) -> None:
        got = self.loop.run_until_complete(self.store.wait(log, after, timeout_s=0))
        assert got is (len(self.logs[log]) > after)

    @rule()
    def reopen(self) -> None:
        if isinstance(self.store, MemoryStore):
            return  # it ends with its process
        self.loop.run_until_complete(self.store.close())
        self.store = self.open_store()

    @invariant()
    def rows_are_the_same(self) -> None:
        for prefix in ("", "a/"):
            expected = sorted(item for item in self.rows.items() if item[0].startswith(prefix))
            assert self.loop.run_until_complete(self.store.list_rows(prefix)) == expected
        found = self.loop.run_until_complete(self.store.get_many(["a/1", "b"]))
        assert found == [self.rows.get("a/1"), self.rows.get("b")]

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


_SETTINGS = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_random_calls(make_store: Callable[[], OpenStore]) -> None:
    # Any factory will do, says its documentation; its type says less.
    run_state_machine_as_test(lambda: StoreMachine(make_store()), settings=_SETTINGS)  # type: ignore[arg-type]
