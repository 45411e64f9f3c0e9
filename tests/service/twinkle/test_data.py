"""Data sets and loaders: one user's, bounded, made again from how they were made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.live_service import LiveService
from tests.service.twinkle.conftest import TwinkleUser
from twinkle_jupyter.service.twinkle.processors import MAX_PROCESSORS
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.sqlite_thread import DatabaseThread
from twinkle_jupyter.store.training_setups import ProcessorRow

ROWS = [{"messages": [{"role": "user", "content": f"{i}"}, _]} for i, _ in enumerate(
    [{"role": "assistant", "content": "Arr" * n} for n in (1, 2, 3, 4, 5)]
)]  # fmt: skip


def _make(user: TwinkleUser, kind: str = "dataset", of: str = "Dataset", **settings: object) -> str:
    answer = user.processor("create", processor_type=kind, class_type=of, **settings)
    made: str = answer.raise_for_status().json()["processor_id"]
    return made


def _meta(rows: list[dict[str, Any]], **more: object) -> str:
    return json.dumps({"data": rows, "_TWINKLE_TYPE_": "DatasetMeta", **more})


def _call(user: TwinkleUser, processor_id: str, function: str, **arguments: object) -> Any:
    answer = user.processor("call", processor_id=processor_id, function=function, **arguments)
    return answer.raise_for_status().json()["result"]


def _forget_built(live: LiveService) -> None:
    """As another replica, or this one after a restart, has it."""
    live.app.state.twinkle.processors._built.clear()


def test_a_data_set_is_made_again_from_its_calls(live: LiveService, anna: TwinkleUser) -> None:
    dataset = _make(anna, dataset_meta=_meta(ROWS))
    _call(anna, dataset, "set_template", template_func="Template", max_length=64)
    _call(anna, dataset, "encode", remove_columns=["messages"])
    first = [_call(anna, dataset, "__getitem__", idx=i) for i in range(5)]
    assert all("messages" not in row and row["length"] == len(row["labels"]) for row in first)
    loader = _make(anna, "dataloader", "DataLoader", dataset=dataset, batch_size=2, shuffle=True)
    _call(anna, loader, "__iter__")
    batch = _call(anna, loader, "__next__")
    _forget_built(live)
    assert [_call(anna, dataset, "__getitem__", idx=i) for i in range(5)] == first
    rest = [_call(anna, loader, "__next__") for _ in range(2)]
    seen = [row["input_ids"] for one in (batch, *rest) for row in one]
    assert sorted(seen) == sorted(row["input_ids"] for row in first)
    over = anna.processor("call", processor_id=loader, function="__next__")
    assert (over.status_code, over.json()) == (410, {"detail": "The pass over the rows is over."})
    # Each pass has its own order, and the same again.
    _call(anna, loader, "__iter__")
    assert _call(anna, loader, "get_state") == {"consumed_train_samples": 5}
    anna.processor("call", processor_id=dataset, function="__getitem__", idx=9)


def test_labels_are_what_the_assistant_says_one_place_earlier(anna: TwinkleUser) -> None:
    dataset = _make(anna, dataset_meta=_meta(ROWS))
    _call(anna, dataset, "set_template", template_func="Template")
    _call(anna, dataset, "encode")
    row = _call(anna, dataset, "__getitem__", idx=0)
    learned = [i for i, label in enumerate(row["labels"]) if label != -100]
    assert learned
    assert all(row["labels"][i] == row["input_ids"][i + 1] for i in learned)
    prompts = _make(anna, dataset_meta=_meta(ROWS))
    _call(anna, prompts, "set_template", template_func="Template")
    _call(anna, prompts, "encode", add_generation_prompt=True)
    assert set(_call(anna, prompts, "__getitem__", idx=0)["labels"]) == {-100}


def test_sources_are_mixed_and_long_rows_are_cut(anna: TwinkleUser) -> None:
    columns = {"instruction": ["a", "b", "c"], "output": ["x", "y", "z"]}
    dataset = _make(anna, dataset_meta=_meta(ROWS))
    _call(anna, dataset, "add_dataset", dataset_meta=json.dumps({"data": columns}))
    answer = anna.processor("call", processor_id=dataset, function="__len__")
    assert (answer.status_code, "mix_dataset" in answer.json()["detail"]) == (409, True)
    _call(anna, dataset, "mix_dataset", interleave=True)
    assert _call(anna, dataset, "__len__") == 6
    _call(anna, dataset, "set_template", template_func="Template")
    _call(anna, dataset, "encode")
    lengths = [_call(anna, dataset, "__getitem__", idx=i)["length"] for i in range(6)]
    limit = sorted(lengths)[2]
    cut = {"template_func": "Template", "max_length": limit, "truncation_strategy": "delete"}
    _call(anna, dataset, "set_template", **cut)
    _call(anna, dataset, "check")
    assert _call(anna, dataset, "__len__") == sum(length <= limit for length in lengths) < 6


def test_two_answers_are_encoded_side_by_side(anna: TwinkleUser) -> None:
    rows = [{"prompt": "Hi", "answer_zh": "Arr 🏴", "answer_en": "Good day to you"}] * 2
    dataset = _make(anna, dataset_meta=_meta(rows))
    told = {"preprocess_func": "EmojiDPOProcessor", "init_args": {"system": "Be a pirate."}}
    _call(anna, dataset, "map", **told)
    _call(anna, dataset, "set_template", template_func="Template")
    raw = _call(anna, dataset, "__getitem__", idx=1)
    alone = _make(anna, dataset_meta=_meta([raw["positive"], raw["negative"]]))
    _call(anna, alone, "set_template", template_func="Template")
    for one in (dataset, alone):
        _call(anna, one, "encode")
    pair = _call(anna, dataset, "__getitem__", idx=1)
    for place, which in enumerate(("positive", "negative")):
        expected = _call(anna, alone, "__getitem__", idx=place)
        assert pair[which] == {name: expected[name] for name in pair[which]}
    # A pair goes or stays as a whole.
    shorter = min(pair["positive"]["length"], pair["negative"]["length"])
    for truncation, length in (("delete", 0), ("right", 2)):
        other = _make(anna, dataset_meta=_meta(rows))
        _call(anna, other, "map", **told)
        cut = {"max_length": shorter, "truncation_strategy": truncation}
        _call(anna, other, "set_template", template_func="Template", **cut)
        _call(anna, other, "encode")
        assert _call(anna, other, "__len__") == length
    other = _make(anna, dataset_meta=_meta(rows))
    _call(anna, other, "map", **told)
    split = {"max_length": shorter, "truncation_strategy": "split"}
    _call(anna, other, "set_template", template_func="Template", **split)
    answer = anna.processor("call", processor_id=other, function="encode")
    assert (answer.status_code, "a pair cannot be" in answer.json()["detail"]) == (422, True)


def test_a_data_set_in_the_box_wraps_around(anna: TwinkleUser) -> None:
    many = {"_slice_type_": "range", "start": 0, "stop": 1000, "step": 1}
    dataset = _make(anna, dataset_meta=json.dumps({"dataset_id": "pirate", "data_slice": many}))
    assert _call(anna, dataset, "__len__") == 1000
    endless = {**many, "stop": 10**7}
    for meta, told in (
        ({"dataset_id": "pirate", "data_slice": endless}, "too large"),
        ({"dataset_id": "../../etc/passwd"}, "reads neither folders nor hubs"),
        ({"dataset_id": "org/rows"}, "There are pirate, self_cognition"),
        ({"data": {"a": [1], "b": [1, 2]}}, "differ in length"),
        ("x", "not a DatasetMeta"),
    ):
        answer = anna.processor(
            "create", processor_type="dataset", class_type="Dataset", dataset_meta=json.dumps(meta)
        )
        assert answer.status_code == 422, answer.text
        assert told in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("weight_loader", "WeightLoader", "processor_type='weight_loader' is not one of dataset, "),
        ("dataset", "os.system", "class_type='os.system' is not one of Dataset, "),
        ("dataloader", "DataLoader", "batch_size=None is not a number of rows"),
    ],
)
def test_what_there_is_none_of_is_a_sentence(
    anna: TwinkleUser, kind: str, name: str, told: str
) -> None:
    answer = anna.processor("create", processor_type=kind, class_type=name)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_rewards_and_preprocessors_follow_their_rules(anna: TwinkleUser) -> None:
    preprocess = _make(anna, "preprocessor", "GSM8KProcessor")
    raw = [{"question": "1 + 1?", "answer": "Two.\n#### 2"}]
    [row] = _call(anna, preprocess, "__call__", rows=raw)
    assert row["user_data"] == [["ground_truth", "2"]]
    said = [{"role": "assistant", "content": text} for text in ("\\boxed{2.0}", "#### 3", "two")]
    trajectories = [{**row, "messages": [*row["messages"], one]} for one in said]
    for name, scores in (("Accuracy", [1, 0, 0]), ("Format", [1, 1, 0])):
        reward = _make(anna, "reward", f"GSM8K{name}Reward")
        assert _call(anna, reward, "__call__", trajectories=trajectories) == scores


def test_objects_are_few_and_go_when_nobody_calls_them(live: LiveService, ben: TwinkleUser) -> None:
    made = [_make(ben, "processor", "InputProcessor") for _ in range(MAX_PROCESSORS)]
    body = {"processor_type": "processor", "class_type": "InputProcessor"}
    assert ben.processor("create", **body).status_code == 429

    def age(row: Row | None) -> Row:
        assert row is not None
        return ProcessorRow.from_row(row).changed(used_at="2026-01-01T00:00:00+00:00").to_row()

    live.call(live.store.update(ProcessorRow.key("ben", made[0]), age))
    body_of_call = {"processor_id": made[0], "function": "__call__"}
    assert ben.processor("call", **body_of_call).status_code == 404
    assert ben.processor("create", **body).status_code == 200


def test_rows_are_handed_out_without_reading_all_of_them_again(
    live: LiveService, anna: TwinkleUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _make(anna, dataset_meta=_meta([{"text": "x" * 50_000}] * 20))
    loader = _make(anna, "dataloader", "DataLoader", dataset=dataset, batch_size=2)
    sizes: list[int] = []
    run = DatabaseThread.run

    async def weighed(self: DatabaseThread, work: Callable[[Any], Any]) -> Any:
        result = await run(self, work)
        sizes.append(len(repr(result)))
        return result

    monkeypatch.setattr(DatabaseThread, "run", weighed)
    _call(anna, loader, "__iter__")
    assert len(_call(anna, loader, "__next__")) == 2
    assert _call(anna, dataset, "__len__") == 20
    assert sizes
    assert max(sizes) < 20_000
    _forget_built(live)
    assert _call(anna, dataset, "__len__") == 20
    assert max(sizes) > 1_000_000
