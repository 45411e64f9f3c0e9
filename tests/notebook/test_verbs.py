"""The table of verbs, and what is typed after one."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinkle_jupyter.config.run_config import RunConfig
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.arguments import HelpAsked, run_settings
from twinkle_jupyter.notebook.verbs import VERBS, parse
from twinkle_jupyter.notebook.verbs_page import verbs_page


def test_every_setting_of_a_run_is_a_flag_with_its_description() -> None:
    with pytest.raises(HelpAsked) as asked:
        parse("train --help")

    said = " ".join(str(asked.value).split())
    for name, field in RunConfig.model_fields.items():
        assert f"--{name.replace('_', '-')}" in said
        assert (field.description or "") in said


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    with pytest.raises(HelpAsked, match=rf"usage: %twinkle {verb}"):
        parse(f"{verb} --help")


def test_settings_reach_the_run_as_they_were_typed() -> None:
    _, arguments = parse('train rows --rank 4 --learning-rate 1e-3 --probe "a b" --probe c')

    config = RunConfig.model_validate(run_settings(arguments))

    assert config == RunConfig(rank=4, learning_rate=1e-3, probe=("a b", "c"))
    assert (arguments.data, arguments.wait) == ("rows", False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("trian x", "Unknown verb 'trian': did you mean 'train'?"),
        ("zzz", "Unknown verb 'zzz'. "),
        (
            "train x --rnak 3",
            "`--rnak` is not a setting of `%twinkle train`: did you mean `--rank`?",
        ),
        ("train --rank", "`--rank` needs a value."),
        ("train x --rank", "`--rank` needs a value."),
        ("train --rank --wait x", "`--rank` needs a value."),
        ("train x y", "`%twinkle train` does not take 'y'."),
        ("chat", "`%twinkle chat` needs model."),
        ("log --lines many", "`%twinkle log`: argument --lines: invalid int value: 'many'."),
        ("train 'x", "A quotation mark in this line has no partner."),
        ("runs --all", "`--all` is not a setting of `%twinkle runs`."),
    ],
)
def test_a_mistake_is_a_sentence(line: str, said: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        parse(line)

    assert str(caught.value).startswith(said)


def test_a_negative_number_is_a_value_and_not_a_flag() -> None:
    _, arguments = parse("train x --learning-rate -1e-3")

    assert run_settings(arguments) == {"learning_rate": "-1e-3"}


@pytest.mark.parametrize(
    ("line", "model", "prompt"),
    [
        ('chat pirate --compare base "Who are you?"', "pirate", ["Who are you?"]),
        ("chat --system x pirate who --compare=base are you", "pirate", ["who", "are", "you"]),
        ("sample pirate --n 4 hello there", "pirate", ["hello", "there"]),
        ("chat pirate --temperature 1 -- --help -x", "pirate", ["--help", "-x"]),
        ("chat pirate what is 5 - 3 -1", "pirate", ["what", "is", "5", "-", "3", "-1"]),
    ],
)
def test_flags_stand_anywhere_among_the_words(line: str, model: str, prompt: list[str]) -> None:
    _, arguments = parse(line)

    assert (arguments.model, arguments.prompt) == (model, prompt)


def test_no_word_is_the_status() -> None:
    assert parse("")[0] is VERBS["status"]


def test_the_page_of_the_verbs_is_what_the_table_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "verbs.md"
    assert page.read_text(encoding="utf-8") == verbs_page()
