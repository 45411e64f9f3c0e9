"""Feeds a logger with a run's events: from where it stands, as far as they go, each step once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from twinkle_jupyter.client.event_stream import RunEventRecord
from twinkle_jupyter.client.sinks.interface import LoggedRun, MetricSink
from twinkle_jupyter.store.interface import Row
from twinkle_jupyter.store.records import ends_run

#: Of a step's event, and what a logger calls them.
_STEP_NAMES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "seconds": "train/seconds_per_step",
}
_EVAL_NAME = "eval/loss"


def feed(sink: MetricSink, run: LoggedRun, events: Iterable[RunEventRecord]) -> int:
    """Tell the logger everything it does not have; return the newest step told.

    Args:
        sink: Takes it in.
        run: Whose events they are.
        events: All of the run, from the first; the logger is closed with the last.
    """
    known = newest = sink.begin(run)
    state = "running"
    for event in events:
        entry = event.entry
        step = cast("int", entry.get("step", 0))
        if ends_run(entry):
            state = str(entry["state"])
        if step <= known:
            continue
        newest = max(newest, step)
        _tell(sink, entry, step)
    sink.finish(state)
    return newest


def _tell(sink: MetricSink, entry: Row, step: int) -> None:
    at_s = datetime.fromisoformat(str(entry["at"])).timestamp()
    match entry["kind"]:
        case "step":
            values = {shown: float(str(entry[name])) for name, shown in _STEP_NAMES.items()}
            seconds, tokens = float(str(entry["seconds"])), float(str(entry["num_tokens"]))
            if seconds > 0:
                values["train/tokens_per_second"] = tokens / seconds
            sink.log(step, values | _metrics(entry, "train/"), at_s)
        case "eval":
            loss = {_EVAL_NAME: float(str(entry["loss"]))}
            sink.log(step, loss | _metrics(entry, "eval/"), at_s)
        case "probe":
            prompt = str(entry["prompt"])
            sink.text(step, f"probe/{entry['index']}", f"{prompt}\n\n{entry['answer']}", at_s)


def _metrics(entry: Row, prefix: str) -> dict[str, float]:
    """Return what the loss says beside itself, such as `accuracy` of dpo."""
    metrics = cast("Mapping[str, float]", entry.get("metrics", {}))
    return {f"{prefix}{name}": value for name, value in metrics.items()}
