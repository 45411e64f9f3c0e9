"""`preview`: what data are, what would be cut, and what is wrong with them, before a run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.notebook.arguments import add_run_settings
from twinkle_jupyter.notebook.cell_value import CellValue, current_cell
from twinkle_jupyter.notebook.run_verbs import add_data_argument, found_data, read_config
from twinkle_jupyter.notebook.session import Session

if TYPE_CHECKING:
    from twinkle_jupyter.config.run_config import RunConfig
    from twinkle_jupyter.datasets.preview import Measure, Preview

#: Rows between two words about how far it is.
_TELL_ROWS = 20_000


class PreviewValue(CellValue):
    """What `preview` returns.

    Attributes:
        facts: The numbers and the problems.
    """

    def __init__(self, facts: Preview) -> None:
        self.facts = facts

    def bundle(self) -> dict[str, str]:
        """Return the page."""
        from twinkle_jupyter.notebook.preview_page import preview_html, preview_plain

        return {"text/html": preview_html(self.facts), "text/plain": preview_plain(self.facts)}

    def __repr__(self) -> str:
        return self.bundle()["text/plain"]


def add_preview_arguments(parser: ArgumentParser) -> None:
    """Take the data, and the settings that decide what becomes of it."""
    add_data_argument(parser)
    add_run_settings(parser, ("base_model", "max_length", "loss", "loss_mask", "reasoning"))


def preview(session: Session, arguments: Namespace) -> PreviewValue:
    """Read data as `train` would, start nothing, and show what was found.

    An interrupt ends the reading and shows what was read so far.
    """
    from twinkle_jupyter.datasets.preview import read_preview
    from twinkle_jupyter.datasets.run_rows import purpose_of

    config = read_config(arguments, {})
    facts: Preview | None = None
    with found_data(session, arguments.data, "preview") as (source, name):
        measure = _measure(config)
        try:
            with session.face.progress() as say:
                limit, purpose = config.max_length, purpose_of(config.loss)
                for facts in read_preview(source, name, limit, measure, purpose):
                    if facts.num_rows % _TELL_ROWS == 0:
                        say(f"{facts.num_rows:,} rows read")
        except KeyboardInterrupt:
            if facts is None:
                raise
            facts.is_partial = True
    # A source of no rows is an error of its own.
    assert facts is not None  # noqa: S101
    value = PreviewValue(facts)
    session.face.place(f"preview-{id(facts)}")(value.bundle())
    value.said_in = current_cell()
    return value


def _measure(config: RunConfig) -> Measure | None:
    """Return what counts tokens, None where the base model is not on this machine."""
    from twinkle_jupyter.launch.model_fetch import find_base_model

    try:
        folder = find_base_model(config.base_model)
    except NotFoundError:
        folder = None  # of the machine where the service is, perhaps
    if folder is None:
        return None
    from twinkle_jupyter.datasets.preview import Measure
    from twinkle_jupyter.templates.chat_template import ChatTemplate
    from twinkle_jupyter.templates.encode_rows import RowEncoder

    template = ChatTemplate.load(folder)
    return Measure(RowEncoder(template, config.loss_mask, config.max_length, config.reasoning))
