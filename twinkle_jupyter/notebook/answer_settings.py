"""How tokens are chosen, as a verb's options."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from twinkle_jupyter.errors import InvalidConfigError

#: Kind, least and greatest of each; the service looks again.
_NUMBERS: Mapping[str, tuple[type[int] | type[float], int, int]] = {
    "max_tokens": (int, 1, 32_768),
    "temperature": (float, 0, 10),
    "top_p": (float, 0, 1),
    "top_k": (int, 0, 1_000_000),
    "min_p": (float, 0, 1),
    "repetition_penalty": (float, 0, 10),
    "presence_penalty": (float, -2, 2),
    "frequency_penalty": (float, -2, 2),
    "seed": (int, 0, 2**63 - 1),
}


def add_setting_arguments(parser: ArgumentParser) -> None:
    """Take every setting; which are numbers is looked at later, all at once."""
    parser.add_argument("--max-tokens", metavar="N", help="longest answer (if not set: 256)")
    parser.add_argument("--temperature", metavar="T", help="0, if not set, is the likeliest answer")
    parser.add_argument("--top-p", metavar="P", help="share of the likeliest tokens to draw from")
    parser.add_argument("--top-k", metavar="K", help="number of likeliest tokens to draw from")
    parser.add_argument(
        "--min-p", metavar="P", help="draw only what is this part as likely as the likeliest"
    )
    parser.add_argument(
        "--repetition-penalty", metavar="X", help="above 1: less of what prompt and answer say"
    )
    parser.add_argument(
        "--presence-penalty", metavar="X", help="above 0: less of what the answer has said"
    )
    parser.add_argument(
        "--frequency-penalty", metavar="X", help="the same for each time it was said"
    )
    parser.add_argument("--seed", metavar="N", help="of the draw")


def read_settings(arguments: Namespace) -> dict[str, float]:
    """Read the numbers, so that a wrong one starts no service."""
    settings: dict[str, float] = {}
    wrong = []
    for name, (kind, least, greatest) in _NUMBERS.items():
        word = getattr(arguments, name)
        if word is None:
            continue
        said = f"`--{name.replace('_', '-')} {word}`"
        try:
            settings[name] = kind(word)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            wrong.append(f"{said} is not {what}.")
        else:
            if not least <= settings[name] <= greatest:
                wrong.append(f"{said} is not between {least} and {greatest}.")
    if wrong:
        raise InvalidConfigError(" ".join(wrong), "Nothing was asked.")
    return settings
