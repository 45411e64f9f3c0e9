"""`twinkle keys`: who may use a service. A service that runs knows of a change at once."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from twinkle_jupyter.cli.service_flags import add_service_flags, load_config
from twinkle_jupyter.errors import InvalidConfigError

if TYPE_CHECKING:
    from twinkle_jupyter.config.service_config import ServiceConfig
    from twinkle_jupyter.service.auth import KnownKey

_MAX_NAME = 64


def keys(words: list[str]) -> int:
    """Create, list or revoke API keys; each stands for one user, who may have several."""
    parser = ArgumentParser("twinkle keys", description=keys.__doc__, allow_abbrev=False)
    add_service_flags(parser)
    verbs = parser.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="make a key and print it; it is shown only once")
    create.add_argument("owner", help="whose it is; all keys of one owner are the same user")
    create.add_argument("--label", default="", help="tells it from their other keys")
    create.add_argument("--admin", action="store_true", help="its user may run `twinkle admin`")
    create.add_argument(
        "--group", action="append", default=[], help="a group that its user is in; may be repeated"
    )
    listing = verbs.add_parser("list", help="list ids, owners and labels, not the keys themselves")
    listing.add_argument("--owner", default="", help="of this user alone")
    revoke = verbs.add_parser("revoke", help="refuse a key from now on")
    revoke.add_argument("key_id", metavar="ID", help="as `twinkle keys list` has it")
    given = parser.parse_args(words)
    for name in ("owner", "label"):
        _check_name(name, getattr(given, name, ""))
    os.umask(0o077)  # a store that is made here is its owner's only
    asyncio.run(_do(given, load_config(given)))
    return 0


async def _do(given: Namespace, config: ServiceConfig) -> None:
    from twinkle_jupyter.service import auth
    from twinkle_jupyter.store.audit import note_act
    from twinkle_jupyter.store.opening import SHORT_PATIENCE_S, open_store

    who = f"{getpass.getuser()} (command line)"
    store = open_store(config.store_address, SHORT_PATIENCE_S)
    try:
        if given.verb == "create":
            # The key alone on stdout: a script reads it from there.
            key = await auth.create_key(
                store, given.owner, given.label, is_admin=given.admin, groups=given.group
            )
            made = f"of {given.owner}{', an admin' if given.admin else ''}"
            await note_act(store, who, "key_made", auth.id_of_key(key), made)
            sys.stdout.write(f"{key}\n")
        elif given.verb == "revoke":
            known = await auth.revoke_key(store, given.key_id)
            await note_act(store, who, "key_revoked", known.key_id, f"of {known.owner}")
            sys.stdout.write(f"Key {known.key_id} of {known.owner} is refused from now on.\n")
        else:
            _print(await auth.list_keys(store, given.owner))
    finally:
        await store.close()


def _print(known: list[KnownKey]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "owner", "label", "admin", "groups", "created")
    for key in known:
        admin = "yes" if key.is_admin else ""
        table.add_row(
            key.key_id, key.owner, key.label, admin, ", ".join(key.groups), key.created_at
        )
    Console(markup=False, emoji=False).print(table if known else "There are no keys.")


def _check_name(what: str, name: str) -> None:
    if len(name) > _MAX_NAME or not name.isprintable() or name != name.strip():
        raise InvalidConfigError(
            f"{what}={name!r} is not a name of at most {_MAX_NAME} printable characters."
        )
