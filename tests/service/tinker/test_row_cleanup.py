"""What is over long ago goes, what may still be used stays, and looking costs what is open."""

from __future__ import annotations

import pytest

from tests.client.live_service import LiveService
from tests.service.tinker.conftest import TinkerUser
from twinkle_jupyter.service.clients.row_cleanup import Removed
from twinkle_jupyter.store.client_rows import ClientAdapterRow, SamplingSessionRow, SessionRow
from twinkle_jupyter.store.interface import Row

LONG_AGO = "2026-01-01T00:00:00+00:00"


def _change(live: LiveService, key: str, **changes: str) -> None:
    def change(row: Row | None) -> Row:
        assert row is not None
        return {**row, **changes}

    live.call(live.store.update(key, change))


def _get(live: LiveService, key: str) -> Row:
    [(_, row)] = live.call(live.store.list_rows(key))
    return row


def _clean(live: LiveService) -> Removed:
    removed = live.call(live.app.state.tinker.cleanup.run_once())
    assert isinstance(removed, Removed)
    return removed


def _keep(live: LiveService) -> None:
    live.call(live.app.state.tinker.keeper.look())


def _sample_unnamed(anna: TinkerUser, model: str, number: int) -> str:
    answer = anna.post(
        "save_weights_for_sampler", model_id=model, seq_id=number, sampling_session_seq_id=0
    )
    return str(anna.result(answer.json()["request_id"])["sampling_session_id"])


def test_a_session_that_is_long_over_leaves_its_adapters_and_what_was_saved(
    live: LiveService, anna: TinkerUser
) -> None:
    model = anna.create_model()
    unnamed = _sample_unnamed(anna, model, 1)
    saved = anna.post("save_weights", model_id=model, seq_id=2, path="kept").json()["request_id"]
    path = str(anna.result(saved)["path"])
    session, folder = anna.session, live.config.client_weights_folder(model, "unnamed", "1")
    anna.post(f"sessions/{session}/finish", reason={"type": "success"})
    # Over, and not long ago; long ago, and not put away: both stay.
    _keep(live)
    assert _clean(live).num_sessions == 0
    _change(live, SessionRow.key("anna", session), heard_at=LONG_AGO)
    assert _clean(live).num_sessions == 0
    _change(live, ClientAdapterRow.key("anna", model), used_at=LONG_AGO)
    assert folder.is_dir()
    assert _clean(live) == Removed(num_sessions=1, num_sampling_sessions=1)
    assert not folder.exists()
    assert anna.http.get(f"/api/v1/sessions/{session}").status_code == 404
    assert anna.http.get(f"/api/v1/samplers/{unnamed}").status_code == 404
    assert anna.http.get(f"/api/v1/training_runs/{model}").is_success
    assert anna.post("weights_info", tinker_path=path).is_success
    # And the adapter trains on, from where it was.
    anna.result(anna.forward_backward(model, 3).json()["request_id"])
    assert _clean(live) == Removed()


def test_a_session_that_still_holds_adapters_is_not_forgotten(
    live: LiveService, anna: TinkerUser
) -> None:
    key = SessionRow.key("anna", anna.session)
    _change(live, key, heard_at=LONG_AGO)
    assert _clean(live).num_sessions == 0
    # One of a version that took no notes is noted, and put away.
    open_key = SessionRow("anna", anna.session).open_key
    live.call(live.store.delete(open_key))
    _keep(live)
    assert not _get(live, key)["is_put_away"]
    _clean(live)
    assert live.call(live.store.list_rows(open_key))
    _keep(live)
    assert _get(live, key)["is_put_away"]
    _keep(live)
    assert not live.call(live.store.list_rows(open_key))


def test_looking_after_sessions_reads_the_open_ones_alone(
    live: LiveService, anna: TinkerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        anna.begin()
        anna.post(f"sessions/{anna.session}/finish", reason={"type": "success"})
    for _ in "ab":  # puts away; finds put away
        _keep(live)
    model = TinkerUser(anna.http)
    model.begin()
    asked = list[str]()
    list_rows, get = live.store.list_rows, live.store.get

    async def note_list(prefix: str) -> list[tuple[str, Row]]:
        rows = await list_rows(prefix)
        asked.extend(key for key, _ in rows)
        return rows

    async def note_get(key: str) -> Row | None:
        asked.append(key)
        return await get(key)

    monkeypatch.setattr(live.store, "list_rows", note_list)
    monkeypatch.setattr(live.store, "get", note_get)
    _keep(live)
    monkeypatch.undo()
    num_open = len(live.call(live.store.list_rows(SessionRow.OPEN_PREFIX)))
    assert len(asked) == 2 * num_open
    assert num_open < len(live.call(live.store.list_rows(SessionRow.PREFIX)))


def test_rows_of_a_session_are_found_by_its_id() -> None:
    assert ClientAdapterRow.key("a/b", "s:train:0").startswith(
        ClientAdapterRow.prefix_of_session("a/b", "s")
    )
    assert SamplingSessionRow.key("a/b", "s:sample:0").startswith(
        SamplingSessionRow.prefix_of_session("a/b", "s")
    )
    row = SessionRow("a/b", "s")
    assert SessionRow.key_of_open(row.open_key) == SessionRow.key("a/b", "s")
