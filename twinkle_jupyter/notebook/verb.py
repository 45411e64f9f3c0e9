"""One verb: its name, its help, what it takes, what it does."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass

from twinkle_jupyter.notebook.arguments import SentenceParser
from twinkle_jupyter.notebook.session import Session


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that can be asked for."""

    name: str
    #: What it does, as a line of `help`.
    summary: str
    #: Adds its arguments to a parser.
    add_arguments: Callable[[ArgumentParser], None]
    #: Does it; what it returns is the value of the cell.
    act: Callable[[Session, Namespace], object]
    #: What it is about: the heading that it stands under in `help`.
    group: str = ""

    def parser(self, prefix: str = "%twinkle") -> SentenceParser:
        """Return a parser of the words after the verb."""
        summary = f"{self.summary[:1].upper()}{self.summary[1:]}."
        parser = SentenceParser(f"{prefix} {self.name}", summary)
        self.add_arguments(parser)
        return parser
