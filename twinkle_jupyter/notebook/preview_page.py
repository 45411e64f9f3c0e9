"""A preview of data as HTML and as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from twinkle_jupyter.notebook.session import Table
from twinkle_jupyter.notebook.tables import code_html, table_html, table_plain

if TYPE_CHECKING:
    from twinkle_jupyter.datasets.preview import Preview, Problem

_BARS = 14
_WIDTH, _HEIGHT, _FOOT = 560, 90, 18
_MAX_PROBLEMS = 5
_BLUE, _ORANGE = "var(--jp-brand-color1, #1976d2)", "var(--jp-warn-color1, #e65100)"
_NO_MODEL = "not counted: the base model is not on this machine (`twinkle fetch` brings it)"


@dataclass(frozen=True, slots=True)
class Bar:
    """Rows of `start` up to before `end` tokens."""

    start: int
    end: int
    count: int


def preview_plain(facts: Preview) -> str:
    """Return the preview as text."""
    parts = [table_plain(_table(facts)), _plain_bars(facts)]
    if facts.shown:
        said = "".join(f"⟦{text}⟧" if learned else text for text, learned in facts.shown)
        parts.append(f"The first row, what is learned of it between ⟦ ⟧:\n{said}")
    parts.append(_plain_problems(facts))
    return "\n\n".join(filter(None, parts))


def preview_html(facts: Preview) -> str:
    """Return the preview as HTML that follows the page's own colours."""
    parts = [table_html(_table(facts)), _svg(facts)]
    if facts.shown:
        text = "".join(
            f"<mark>{escape(text)}</mark>" if learned else escape(text)
            for text, learned in facts.shown
        )
        parts.append(
            "<details open><summary>The first row; what is learned of it is marked</summary>"
            f'<pre style="white-space:pre-wrap;margin:4px 0">{text}</pre></details>'
        )
    problems = _first_problems(facts)
    if problems:
        items = "".join(f"<li>{code_html(_problem_line(one))}</li>" for one in problems)
        parts.append(
            f"<div><strong>{escape(_problem_title(facts))}</strong>"
            f'<ul style="margin:2px 0">{items}</ul></div>'
        )
    return f"<div>{''.join(parts)}</div>"


def bars(facts: Preview) -> list[Bar]:
    """Return the histogram of lengths, from the shortest row's bar to the longest row's."""
    if not facts.lengths:
        return []
    shortest, longest = min(facts.lengths), max(facts.lengths)
    width = _round_up((longest - shortest + 1) / _BARS)
    first = shortest // width
    counts = [0] * (longest // width - first + 1)
    for length, count in facts.lengths.items():
        counts[length // width - first] += count
    return [
        Bar(start * width, (start + 1) * width, count)
        for start, count in enumerate(counts, start=first)
    ]


def _round_up(number: float) -> int:
    """Return the next of 1, 2, 5, 10, 20, 50, …: widths that people can read."""
    power = 10 ** max(0, math.floor(math.log10(max(number, 1))))
    return int(next(power * step for step in (1, 2, 5, 10) if power * step >= number))


def _table(facts: Preview) -> Table:
    usable = facts.num_rows - facts.num_unusable
    layouts = facts.layouts.most_common()
    layout = ", ".join(
        f"{name} layout ({count:,})" if len(layouts) > 1 else f"{name} layout"
        for name, count in layouts
    )
    unusable = f", {facts.num_unusable:,} of them unusable" if facts.num_unusable else ""
    partial = " before the interrupt" if facts.is_partial else ""
    if facts.has_pairs:
        layout += ", for `--loss dpo`"
    pairs = [
        ("format", facts.kind + (f", {layout}" if layout else ", no layout that is known")),
        ("rows", f"{facts.num_rows:,}{unusable}{partial}"),
    ]
    if not facts.lengths:
        pairs.append(("tokens", _NO_MODEL if usable and not facts.num_measured else "none"))
        return Table(f"Preview of {facts.name}", (), pairs)
    about = "about " if facts.is_sample else ""
    pairs += [
        ("tokens", f"{about}{facts.num_tokens:,}; {_share(facts.num_learned, facts)} are learned"),
        ("by role", _roles(facts)),
        (
            "tokens of an answer with its prompt" if facts.has_pairs else "tokens of a row",
            f"half have up to {facts.length_at(0.5):,}, 95 % up to {facts.length_at(0.95):,},"
            f" the longest has {max(facts.lengths):,}",
        ),
        ("would be cut", _cut(facts)),
    ]
    note = ""
    if facts.is_sample:
        note = (
            f"Every row was read; tokens were counted in {facts.num_measured:,} rows from all over"
            " the data, and what is said of tokens is an estimate from these."
        )
    return Table(f"Preview of {facts.name}", (), pairs, note)


def _roles(facts: Preview) -> str:
    return ", ".join(
        f"{role} {_share(count, facts)}" for role, count in facts.role_tokens.most_common()
    )


def _share(count: int, facts: Preview) -> str:
    share = 100 * count / max(1, facts.num_tokens)
    return f"{share:.0f} %" if share >= 1 or not count else f"{share:.1g} %"


def _cut(facts: Preview) -> str:
    limit = f"at {facts.max_length:,} tokens"
    if not facts.num_cut_rows:
        return f"nothing {limit}"
    about = "about " if facts.is_sample else ""
    return (
        f"{about}{_rows(facts.num_cut_rows)} {limit}, and with them {facts.num_cut_tokens:,} tokens"
        f" ({_share(facts.num_cut_tokens, facts)}); `--max-length {max(facts.lengths)}` cuts none"
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _first_problems(facts: Preview) -> Sequence[Problem]:
    return sorted(facts.problems, key=lambda one: not one.refuses)[:_MAX_PROBLEMS]


def _problem_title(facts: Preview) -> str:
    said = []
    if facts.num_refused:
        said.append(f"{facts.num_refused:,} that no run begins with")
    if facts.num_warned:
        said.append(f"{facts.num_warned:,} that a run warns of")
    where = " in the rows whose tokens were counted" if facts.is_sample else ""
    return f"Problems: {', '.join(said)}{where}"


def _problem_line(problem: Problem) -> str:
    return f"{'refused' if problem.refuses else 'warning'}: {problem.sentence}."


def _plain_problems(facts: Preview) -> str:
    problems = _first_problems(facts)
    if not problems:
        return "No problem was found."
    return "\n".join([_problem_title(facts), *(f"  {_problem_line(one)}" for one in problems)])


def _plain_bars(facts: Preview) -> str:
    shown = bars(facts)
    most = max((bar.count for bar in shown), default=0)
    lines = []
    for bar in shown:
        size = 0 if not bar.count else max(1, round(30 * bar.count / most))
        cut = "  cut" if bar.start >= facts.max_length else ""
        lines.append(f"  {bar.start:>7,} … {bar.end - 1:<7,} {'█' * size} {bar.count:,}{cut}")
    return "\n".join(["Rows by their number of tokens", *lines]) if lines else ""


def _svg(facts: Preview) -> str:
    """Draw the histogram, with a line where rows are cut."""
    shown = bars(facts)
    if not shown:
        return ""
    most = max(bar.count for bar in shown)
    begin, end = shown[0].start, shown[-1].end
    scale = _WIDTH / (end - begin)
    drawn = []
    for bar in shown:
        title = f"{bar.start:,} to {bar.end - 1:,} tokens: {_rows(bar.count)}"
        height = 0 if not bar.count else max(1.5, (_HEIGHT - 14) * bar.count / most)
        left, width = scale * (bar.start - begin), max(1.0, scale * (bar.end - bar.start) - 1)
        colour = _ORANGE if bar.start >= facts.max_length else _BLUE
        drawn.append(
            f'<rect x="{left:.1f}" y="{_HEIGHT - height:.1f}" width="{width:.1f}"'
            f' height="{height:.1f}" fill="{colour}"><title>{title}</title></rect>'
        )
    if begin < facts.max_length < end:
        at = scale * (facts.max_length - begin)
        drawn.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_HEIGHT}" stroke="{_ORANGE}"'
            ' stroke-dasharray="4 3"/>'
        )
    ends = f"{_text(0, f'{begin:,}', 'start')}{_text(_WIDTH, f'{end:,} tokens', 'end')}"
    label = f"Rows by their number of tokens; the longest has {max(facts.lengths):,}"
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} {_HEIGHT + _FOOT}"'
        f' style="max-width:{_WIDTH}px;width:100%">{"".join(drawn)}{ends}</svg>'
    )


def _text(x: int, text: str, anchor: str) -> str:
    return (
        f'<text x="{x}" y="{_HEIGHT + _FOOT - 5}" font-size="11" text-anchor="{anchor}"'
        f' fill="currentColor">{text}</text>'
    )
