"""A run's events as rows, in files, and in TensorBoard's own format."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from tests.client.metric_entries import entries_of_a_run
from twinkle_jupyter.client.event_stream import RunEventRecord
from twinkle_jupyter.client.metrics import metric_rows, write_rows
from twinkle_jupyter.client.sinks.feeding import feed
from twinkle_jupyter.client.sinks.interface import LoggedRun
from twinkle_jupyter.client.sinks.tensorboard import TensorBoardSink
from twinkle_jupyter.errors import ConflictError, InvalidConfigError
from twinkle_jupyter.store.interface import Row

_RUN = LoggedRun("run_a", "pirate", {"rank": 4}, group="kit")


def _records(entries: list[Row]) -> list[RunEventRecord]:
    return [RunEventRecord(number, entry) for number, entry in enumerate(entries, start=1)]


def test_a_row_a_step_with_its_eval_loss() -> None:
    rows = metric_rows(entries_of_a_run(4))
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [row["eval_loss"] for row in rows] == [None, 2.0, None, 1.0]
    assert {row["tokens_per_second"] for row in rows} == {160.0}
    assert "kind" not in rows[0]
    assert metric_rows([]) == []


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_has_every_value_and_is_never_overwritten(tmp_path: Path, suffix: str) -> None:
    rows = metric_rows(entries_of_a_run(5))
    path = tmp_path / "new" / f"metrics{suffix}"
    write_rows(rows, path)
    match suffix:
        case ".csv":
            read = list(csv.DictReader(path.read_text().splitlines()))
            assert [float(row["loss"]) for row in read] == [row["loss"] for row in rows]
            assert [row["eval_loss"] for row in read] == ["", "2.0", "", "1.0", ""]
        case ".jsonl":
            assert [json.loads(line) for line in path.read_text().splitlines()] == rows
        case _:
            from pyarrow import parquet

            assert parquet.read_table(path).to_pylist() == rows
    with pytest.raises(ConflictError, match="is there already"):
        write_rows(rows, path)
    with pytest.raises(InvalidConfigError, match=r"ends with none of \.csv"):
        write_rows(rows, tmp_path / "metrics.xlsx")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def _read_events(folder: Path) -> Iterator[Event]:
    """Read TFRecords: length, its checksum, the event, its checksum."""
    [file] = folder.glob("events.out.tfevents.*")
    data = file.read_bytes()
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        yield Event.FromString(data[12 : 12 + size])
        data = data[16 + size :]


def test_tensorboard_has_every_step_once_however_often_it_is_told(tmp_path: Path) -> None:
    entries = entries_of_a_run(6)
    for part in (entries[:8], entries, entries):
        feed(TensorBoardSink(tmp_path), _RUN, _records(part))
    folder = tmp_path / "kit" / "pirate-run_a"
    scalars: dict[str, list[tuple[int, float]]] = {}
    texts: dict[str, list[tuple[int, str]]] = {}
    for event in _read_events(folder):
        for value in event.summary.value:
            if value.HasField("tensor"):
                text = value.tensor.string_val[0].decode()
                texts.setdefault(value.tag, []).append((event.step, text))
            else:
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
                assert event.wall_time == 1795600800.5
    losses = scalars["train/loss"]
    assert [step for step, _ in losses] == [1, 2, 3, 4, 5, 6]
    assert [loss for _, loss in losses] == pytest.approx([3.0 / step for step in range(1, 7)])
    assert [step for step, _ in scalars["eval/loss"]] == [2, 4, 6]
    assert scalars["train/tokens_per_second"][0][1] == pytest.approx(160)
    answers = next(said for tag, said in texts.items() if tag.startswith("probe/0"))
    assert [(step, text.split("\n")[-1]) for step, text in answers] == [(0, "Me"), (2, "A pirate")]


class _Remembering:
    """A logger that has steps already, as W&B and trackio may."""

    def __init__(self, known: int) -> None:
        self.known = known
        self.told: list[tuple[int, str]] = []
        self.state = ""

    def begin(self, run: LoggedRun) -> int:
        assert run == _RUN
        return self.known

    def log(self, step: int, values: Mapping[str, float], at_s: float) -> None:
        self.told += [(step, name) for name in values if name.endswith("loss")]

    def text(self, step: int, name: str, text: str, at_s: float) -> None:
        self.told.append((step, name))

    def finish(self, state: str) -> None:
        self.state = state


def test_a_logger_hears_only_what_it_does_not_have() -> None:
    whole = _Remembering(-1)
    assert feed(whole, _RUN, _records(entries_of_a_run(4))) == 4
    assert whole.told[:4] == [
        (0, "probe/0"),
        (1, "train/loss"),
        (2, "train/loss"),
        (2, "eval/loss"),
    ]
    assert whole.state == "finished"
    rest = _Remembering(3)
    assert feed(rest, _RUN, _records(entries_of_a_run(4))) == 4
    assert rest.told == [(4, "train/loss"), (4, "eval/loss")]
    cut = _Remembering(-1)
    feed(cut, _RUN, _records(entries_of_a_run(4)[:5]))
    assert cut.state == "running"
