"""What the fields of a row say and its conversation would not: refused, and never passed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from twinkle_jupyter.datasets.layouts import LAYOUTS, Layout, has_words, is_nothing
from twinkle_jupyter.datasets.preferences import SIDES
from twinkle_jupyter.datasets.table_cells import is_broken_messages, parsed

#: Fields of each layout that may have messages.
_OF_MESSAGES: dict[Layout, tuple[str, ...]] = {
    **LAYOUTS,
    "alpaca": (),
    "preference": ("prompt", *SIDES),
}
#: Fields with texts that may all be the prompt of a preference.
_PROMPTS = ("question", "instruction", "input")
#: What data sets call whether an answer is a good one, as those for KTO do.
_IS_GOOD = ("label", "kto_tag")
#: Layouts whose prompt is text, which `history` comes before.
_WITH_HISTORY = ("alpaca", "prompt-completion", "preference")


def find_field_faults(row: Mapping[str, object], layout: Layout, place: str) -> list[str]:
    """Return what cannot be read as it is meant, each as a sentence that begins with `place`."""
    faults = []
    if broken := [name for name in _OF_MESSAGES[layout] if is_broken_messages(row.get(name))]:
        faults.append(
            f"{place}: {_join(broken)} would be a list of messages and is not JSON, but Python's"
            " own text of one; write it with `json.dumps`"
        )
    if layout in _WITH_HISTORY and not _is_history(row.get("history")):
        faults.append(f"{place}: `history` is not a list of pairs, a question and its answer")
    if layout == "preference":
        faults += _find_two_prompts(row, place)
    else:
        faults += _find_bad_answer(row, place)
    return faults


def _is_history(value: object) -> bool:
    if is_nothing(value):
        return True
    pairs = parsed(value)
    return isinstance(pairs, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
        for pair in pairs
    )


def _find_two_prompts(row: Mapping[str, object], place: str) -> Iterator[str]:
    names = [name for name in _PROMPTS if has_words(row.get(name))]
    if is_nothing(row.get("prompt")) and names[:1] == ["question"] and len(names) > 1:
        yield f"{place} has {_join(names)}, and one prompt is learned: join them as `prompt`"


def _find_bad_answer(row: Mapping[str, object], place: str) -> Iterator[str]:
    for name in _IS_GOOD:
        said = row.get(name)
        # CSV has text for it. A number may well be the name of a class.
        if said is False or (isinstance(said, str) and said.strip().lower() == "false"):
            yield (
                f"{place} has `{name}` false, which marks a bad answer, and it would be learned as"
                f" a good one; leave such rows out (or `{name}`, if it means something else), or"
                " compare answers with `--loss dpo`"
            )


def _join(names: Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
