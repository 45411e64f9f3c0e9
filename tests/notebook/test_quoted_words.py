"""Cells that the sidebar writes: what stands in their quotes arrives as it was, whatever it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.notebook.conftest import PlainShell
from twinkle_jupyter.notebook.arguments import split_line

#: Words, and how `src/sidebar/words.ts` writes them; its own tests hold it to that.
QUOTED = Path(__file__).parents[2] / "labextension/src/__tests__/quoted.json"


@pytest.mark.parametrize(("word", "quoted"), json.loads(QUOTED.read_text(encoding="utf-8")))
def test_a_word_comes_through_ipython(shell: PlainShell, word: str, quoted: str) -> None:
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)

    shell.ip.magics_manager.register_function(hear, magic_kind="line", magic_name="hear")
    shell.push(name="value", b="value")

    assert shell.run(f"%hear train {quoted} --adapter a") is None

    assert [split_line(line) for line in lines] == [["train", word, "--adapter", "a"]]
