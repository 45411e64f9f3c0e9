"""What `preview` counts and finds, and that it takes no more memory for more rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from twinkle_jupyter.datasets.preview import Measure, Preview, read_preview
from twinkle_jupyter.datasets.records import Purpose, load_records
from twinkle_jupyter.datasets.run_rows import guess_loss
from twinkle_jupyter.errors import InvalidDataError
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import RowEncoder

LONG = " ".join(["word"] * 120)


@pytest.fixture(scope="module")
def template(tiny_model: Path) -> ChatTemplate:
    return ChatTemplate.load(tiny_model)


def _preview(source: object, template: ChatTemplate | None, max_length: int = 64) -> Preview:
    measure = (
        Measure(RowEncoder(template, "all-assistant", max_length)) if template is not None else None
    )
    name = "rows" if isinstance(source, list) else ""
    return list(read_preview(source, name, max_length, measure))[-1]


def test_both_answers_of_a_preference_are_measured(template: ChatTemplate) -> None:
    asked = {"prompt": "Who?", "chosen": "I am Twinkle.", "rejected": LONG}
    found = _preview([asked, {**asked, "rejected": "Nobody."}], template)
    assert found.layouts == {"preference": 2}
    assert (found.lengths.total(), found.num_cut_rows) == (4, 1)
    assert found.num_tokens == sum(found.role_tokens.values())
    [problem] = found.problems
    assert problem.refuses
    assert problem.sentence.startswith("row 1: rejected: the answer ends at token")
    assert next(text for text, learned in found.shown if learned) == "I am Twinkle.<|im_end|>"


def _row(prompt: str, completion: str = "Arr.") -> dict[str, str]:
    return {"prompt": prompt, "completion": completion}


def test_rows_of_two_kinds_are_read_as_a_run_without_a_loss_reads_them() -> None:
    pair = {"prompt": "Who?", "chosen": "I am Twinkle.", "rejected": "Nobody."}
    both = {**pair, "completion": "I am Twinkle."}
    expected: dict[Purpose | None, str] = {None: "prompt-completion", "preferences": "preference"}
    for purpose, layout in expected.items():
        found = list(read_preview([both], "rows", 64, None, purpose))[-1]
        assert found.layouts == {layout: 1}
    assert load_records([both]).layout == expected[None]
    assert (guess_loss([both]), guess_loss([pair])) == ("cross_entropy", "dpo")


def test_counts_agree_with_the_encoder_row_for_row(template: ChatTemplate) -> None:
    rows = [_row("Hi"), _row(LONG), _row("Who are you?", LONG)]

    found = _preview(rows, template)

    encoded = [
        template.encode_conversation(
            [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
        )
        for row in rows
    ]
    lengths = [len(one.token_ids) for one in encoded]
    assert sorted(found.lengths.elements()) == sorted(lengths)
    assert found.num_tokens == sum(lengths) == sum(found.role_tokens.values())
    assert found.num_learned == sum(sum(map(bool, one.weights)) for one in encoded)
    assert found.num_cut_rows == 2
    assert found.num_cut_tokens == sum(length - 64 for length in lengths if length > 64)
    assert (found.length_at(0.5), found.length_at(1.0)) == (sorted(lengths)[1], max(lengths))
    # The answer of the second row begins beyond the cut, that of the third ends there.
    assert [(one.sentence.split(":")[0], one.refuses) for one in found.problems] == [
        ("row 2", True),
        ("row 3", False),
    ]
    learned = "".join(text for text, is_learned in found.shown if is_learned)
    assert learned.startswith("Arr.")
    assert "Hi" in "".join(text for text, is_learned in found.shown if not is_learned)


def test_of_many_problems_five_are_kept_and_all_are_counted(
    template: ChatTemplate, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    good = json.dumps(_row("Hi"))
    bad = [*["{oops"] * 7, json.dumps({"text": "no layout"}), json.dumps(_row("Hi", " "))]
    file.write_text("\n".join([good, *bad, good]))

    found = _preview(file, template)

    assert (found.num_rows, found.num_unusable, found.num_refused) == (11, 9, 9)
    assert [one.sentence[:6] for one in found.problems] == [f"line {n}" for n in range(2, 7)]
    assert (found.kind, dict(found.layouts)) == ("JSON Lines", {"prompt-completion": 3})
    assert found.num_measured == 2


def test_each_source_is_named_and_read_alike(template: ChatTemplate, tmp_path: Path) -> None:
    rows = [_row("Hi"), _row("Who?")]
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    sources: dict[str, object] = {
        "a list": rows,
        "a DataFrame": frame,
        "CSV": tmp_path / "a.csv",
        "Parquet": tmp_path / "a.parquet",
        "a JSON array": tmp_path / "a.json",
    }
    found = {name: _preview(source, template) for name, source in sources.items()}
    assert {name: one.kind for name, one in found.items()} == {name: name for name in sources}
    assert len({one.num_tokens for one in found.values()}) == 1


def test_a_sample_of_many_rows_is_near_the_whole(template: ChatTemplate) -> None:
    # Rows that repeat with a period that a fixed stride would fall into.
    rows = [_row(" ".join(["word"] * (8 * (i % 8)))) for i in range(6_000)]

    found = _preview(rows, template)

    one_period = _preview(rows[:8], template)
    assert found.is_sample
    assert 500 < found.num_measured < 2500
    assert found.num_tokens == pytest.approx(one_period.num_tokens * 750, rel=0.05)
    assert found.lengths.total() == pytest.approx(6_000, rel=0.05)


def test_without_a_template_rows_are_counted_and_nothing_else() -> None:
    found = _preview([_row("Hi"), _row("Hi", "")], None)
    assert (found.num_rows, found.num_unusable, found.num_tokens) == (2, 1, 0)
    with pytest.raises(InvalidDataError, match="is empty"):
        _preview([], None)


_MEASURE = """
import re, sys
from pathlib import Path
from twinkle_jupyter.datasets.preview import Measure, read_preview
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.encode_rows import RowEncoder
measure = Measure(RowEncoder(ChatTemplate.load(Path(sys.argv[1])), "all-assistant", 64))
for preview in read_preview(sys.argv[2], "", 64, measure):
    if preview.num_rows in (5_000, 30_000):
        # Not `ru_maxrss`, which a new process has from the one that started it.
        print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_six_times_the_rows_take_no_more_memory(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with file.open("w") as out:
        for number in range(30_000):
            out.write(
                json.dumps(_row(f"Question {number}? {'?' * 100}", f"Answer {number}")) + "\n"
            )

    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tiny_model), str(file)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip

    early_kb, late_kb = map(int, done.stdout.split())
    assert late_kb - early_kb < 3_000, "of a file of 5 MB"
