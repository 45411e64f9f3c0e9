"""Verbs that give adapters to others, take them back, and fetch them: share, unshare, download."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from twinkle_jupyter.notebook.adapter_panels import AdapterListing
from twinkle_jupyter.notebook.chat_verbs import list_adapters
from twinkle_jupyter.notebook.session import Session, Table
from twinkle_jupyter.notebook.verb import Verb


def share_verbs() -> list[Verb]:
    """Return the verbs."""
    return [
        Verb("adapters", "list the adapters", add_adapters_arguments, adapters),
        Verb("share", "let others read an adapter", add_share_arguments, share),
        Verb("unshare", "take back what is shared", add_unshare_arguments, unshare),
        Verb("download", "fetch an adapter's weights", add_download_arguments, download),
    ]


def add_adapters_arguments(parser: ArgumentParser) -> None:
    """Take whose."""
    parser.add_argument(
        "--shared", action="store_true", help="what others share with you, and what you share"
    )


def adapters(session: Session, arguments: Namespace) -> AdapterListing | None:
    """List the adapters, or what is shared."""
    if not arguments.shared:
        return list_adapters(session)
    from twinkle_jupyter.client.sharing import list_shared

    rows = [
        (
            one.path,
            one.owner,
            one.adapter,
            str(one.step),
            str(one.rank),
            one.base_model,
            "everyone" if one.everyone else ", ".join(one.groups) or "your group",
        )
        for one in list_shared(session.service.running().connection)
    ]
    note = "A path stands for an adapter in `chat`, `sample`, `download` and `--from-adapter`."
    none = f"Nothing is shared: `{session.prefix} share ADAPTER --everyone` does."
    headings = ("path", "owner", "adapter", "step", "rank", "base model", "read by")
    session.face.table(Table("Shared adapters", headings, rows, note if rows else none))
    return None


def add_share_arguments(parser: ArgumentParser) -> None:
    """Take an adapter, and who may read it."""
    parser.add_argument("adapter", help="the adapter's name")
    parser.add_argument(
        "--group", action="append", default=[], help="one of yours; may be repeated"
    )
    parser.add_argument("--everyone", action="store_true", help="whoever uses this service")
    _add_step(parser)


def share(session: Session, arguments: Namespace) -> None:
    """Let groups or everyone read one checkpoint of an adapter, and nobody else."""
    from twinkle_jupyter.client.sharing import share as ask

    shared = ask(
        session.service.running().connection,
        arguments.adapter,
        step=arguments.step,
        groups=arguments.group,
        everyone=arguments.everyone,
    )
    readers = "everyone" if shared.everyone else f"group {', '.join(shared.groups)}"
    session.face.note(
        f"Step {shared.step} of {shared.adapter} may be read by {readers}: {shared.path}"
    )


def add_unshare_arguments(parser: ArgumentParser) -> None:
    """Take an adapter or a path."""
    parser.add_argument("adapter", help="the adapter's name, or the path of one of its checkpoints")


def unshare(session: Session, arguments: Namespace) -> None:
    """Let nobody but you read it, from the next request on."""
    from twinkle_jupyter.client.sharing import unshare as ask

    gone = ask(session.service.running().connection, arguments.adapter)
    session.face.note(f"Nobody else reads {', '.join(one.path for one in gone)} any more.")


def add_download_arguments(parser: ArgumentParser) -> None:
    """Take an adapter, and where to."""
    parser.add_argument("adapter", help="the adapter's name, or a path that you may read")
    parser.add_argument("folder", help="where to; must not exist yet, or be empty")
    _add_step(parser)


def download(session: Session, arguments: Namespace) -> None:
    """Write an adapter's weights into a folder here, as PEFT has them, from a service anywhere."""
    from twinkle_jupyter.client.sharing import download_weights

    folder = Path(arguments.folder).expanduser().absolute()
    connection = session.service.running().connection
    with session.face.progress() as say:
        say(f"Fetching {arguments.adapter}")
        step = download_weights(connection, arguments.adapter, folder, arguments.step)
    session.face.note(f"Step {step} of {arguments.adapter} is in {folder}.")


def _add_step(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--step", type=int, metavar="N", help="of a checkpoint; the newest, if not set"
    )
