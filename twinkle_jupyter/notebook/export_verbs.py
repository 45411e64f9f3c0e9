"""Verbs that carry adapters out and in: export, push, import."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from twinkle_jupyter.client.adapter import Adapter
from twinkle_jupyter.notebook.session import Session, Table

if TYPE_CHECKING:
    from twinkle_jupyter.client.exports import ExportBody, StartExportBody

_FORMATS = {
    "peft": "the adapter alone, as PEFT and vLLM load it",
    "merged": "a whole model, as transformers loads it",
    "gguf": "one file, as llama.cpp loads it",
}


def add_export_arguments(parser: ArgumentParser) -> None:
    """Take an adapter, a folder, and what to write."""
    parser.add_argument("adapter", help="the adapter's name")
    parser.add_argument("folder", help="where to; must not exist yet, or be empty")
    formats = "; ".join(f"{name}: {what}" for name, what in _FORMATS.items())
    parser.add_argument(
        "--as", dest="format", choices=list(_FORMATS), default="peft", help=f"{formats} (peft)"
    )
    parser.add_argument(
        "--type",
        dest="weight_type",
        choices=("F32", "F16", "Q8_0"),
        default="F16",
        help="numbers of a GGUF file's matrices (F16)",
    )
    _add_step(parser)


def export(session: Session, arguments: Namespace) -> None:
    """Write an adapter into a folder; an interrupt ends it and leaves nothing."""
    from twinkle_jupyter.client.exports import StartExportBody

    wanted = StartExportBody(
        format=arguments.format,
        folder=str(_absolute(arguments.folder)),
        step=arguments.step,
        weight_type=arguments.weight_type,
    )
    done = _export(session, arguments.adapter, wanted)
    rows = [
        ("adapter", f"{done.adapter}, step {done.step}"),
        ("format", _FORMATS[done.format]),
        ("folder", done.folder),
        ("size", f"{done.size_bytes / 1e6:,.1f} MB"),
    ]
    session.face.table(Table("Exported", (), rows))


def add_push_arguments(parser: ArgumentParser) -> None:
    """Take an adapter, a repository, and whose it is."""
    parser.add_argument("adapter", help="the adapter's name")
    parser.add_argument("repository", help="on the hub, as `owner/name`; made if it is not there")
    parser.add_argument(
        "--as",
        dest="format",
        choices=("peft", "merged"),
        default="peft",
        help="the adapter alone (peft), or a whole model (merged)",
    )
    parser.add_argument("--private", action="store_true", help="of a repository that is made now")
    parser.add_argument(
        "--token-file", metavar="FILE", help="holds the hub's token; else HF_TOKEN does"
    )
    _add_step(parser)


def push(session: Session, arguments: Namespace) -> None:
    """Export into a folder that goes away again, and send that to a model hub."""
    from twinkle_jupyter.client.exports import StartExportBody
    from twinkle_jupyter.client.hub_push import check_repository, push_folder, read_hub_token

    token = read_hub_token(arguments.token_file)
    check_repository(arguments.repository)
    with tempfile.TemporaryDirectory(prefix="twinkle-push-") as folder:
        wanted = StartExportBody(
            format=arguments.format, folder=str(Path(folder) / "model"), step=arguments.step
        )
        done = _export(session, arguments.adapter, wanted)
        with session.face.progress() as say:
            say(f"Sending {done.size_bytes / 1e6:,.1f} MB to {arguments.repository}")
            address = push_folder(
                Path(done.folder),
                arguments.repository,
                token,
                is_private=arguments.private,
                note=f"{done.adapter}, step {done.step}",
            )
    session.face.note(f"{done.adapter}, step {done.step}, is at {address}.")


def add_import_arguments(parser: ArgumentParser) -> None:
    """Take a folder, and what it is called from now on."""
    parser.add_argument("folder", help="an adapter of PEFT's: adapter_config.json and safetensors")
    parser.add_argument("--adapter", metavar="NAME", help="its name here; the folder's, if not set")
    parser.add_argument(
        "--base-model", metavar="NAME", help="what it was trained on; the service's, if not set"
    )


def import_peft(session: Session, arguments: Namespace) -> Adapter:
    """Take in an adapter that was trained elsewhere."""
    from twinkle_jupyter.client.exports import import_adapter

    folder = _absolute(arguments.folder)
    client = session.service.started(session.face)
    with session.face.progress() as say:
        say(f"Reading {folder.name}")
        adapter = import_adapter(
            client.connection, folder, arguments.adapter or folder.name, arguments.base_model
        )
    session.face.note(
        f"{adapter.name} is here, rank {adapter.rank} on {adapter.base_model}: "
        f"`{session.prefix} chat {adapter.name} …` asks it."
    )
    return Adapter(client, adapter.name)


def add_delete_arguments(parser: ArgumentParser) -> None:
    """Take an adapter."""
    parser.add_argument("adapter", help="the adapter's name")


def delete(session: Session, arguments: Namespace) -> None:
    """Delete an adapter's weights."""
    session.service.running().delete_adapter(arguments.adapter)
    session.face.note(f"{arguments.adapter} is deleted.")


def _add_step(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--step", type=int, metavar="N", help="of a checkpoint; the newest, if not set"
    )


def _absolute(folder: str) -> Path:
    return Path(folder).expanduser().absolute()


def _export(session: Session, adapter: str, wanted: StartExportBody) -> ExportBody:
    from twinkle_jupyter.client.exports import export_adapter

    client = session.service.running()
    with session.face.progress() as say:
        return export_adapter(
            client.connection,
            adapter,
            wanted,
            lambda fraction: say(f"Writing {adapter} as {wanted.format}, {fraction:.0%}"),
        )
