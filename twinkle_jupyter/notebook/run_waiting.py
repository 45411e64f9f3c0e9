"""Waiting for the end of runs, over restarts of the service, which are told while they last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from twinkle_jupyter.notebook.snapshot import RunPicture

if TYPE_CHECKING:
    from twinkle_jupyter.client.event_stream import LinkState
    from twinkle_jupyter.notebook.run_handle import RunHandle
    from twinkle_jupyter.notebook.session import Face


def follow_to_end(face: Face, run: RunHandle) -> RunPicture:
    """Return the run as it is at its end."""
    picture = RunPicture()
    with (
        face.follow(run) as tell,
        link_shown(face) as on_link,
        run.client.events(run.run_id, on_link=on_link) as events,
    ):
        for event in events:
            picture.add(event.id, event.entry)
            tell(picture.snapshot())
    return picture


@contextmanager
def link_shown(face: Face) -> Iterator[Callable[[LinkState, str], None]]:
    """Give a function that is told how the service is, and shows that it is waited for."""
    known: LinkState = "live"
    with ExitStack() as shown:

        def on_link(link: LinkState, message: str) -> None:
            nonlocal known
            if link == known:
                return
            known = link
            shown.close()
            if link == "waiting":
                say = shown.enter_context(face.progress())
                say(f"{message} Waiting for it")

        yield on_link
