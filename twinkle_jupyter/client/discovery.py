"""Where the service is: arguments, environment, the JupyterHub around us, the connection file.

The file lies in Jupyter's runtime directory, readable by its owner only, since it holds an API key.
Nothing here starts a service or asks whether one answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from twinkle_jupyter.errors import InvalidConfigError, NotAllowedError

FILE_NAME = "twinkle-service.json"
#: By which a JupyterHub tells its users' servers where the service is; their own token is the key.
HUB_VARIABLE = "TWINKLE_HUB_SERVICE_URL"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one service."""

    #: `http://127.0.0.1:PORT`, without a slash at the end.
    url: str
    api_key: str = field(repr=False)
    #: Process id of the service, 0 when it is not on this machine.
    pid: int = 0
    version: str = ""
    #: Whether it is a service of the JupyterHub whose server this is.
    is_of_hub: bool = False

    @property
    def address(self) -> str:
        """Host and port, as people read it."""
        return self.url.split("://", 1)[-1]

    @property
    def is_local(self) -> bool:
        """Whether it is this very machine, to which no proxy leads."""
        return urlsplit(self.url).hostname in {"127.0.0.1", "localhost", "::1"}


def connection_path() -> Path:
    """Return where the connection file of this user lies."""
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir()) / FILE_NAME


def find_connection(url: str = "", api_key: str = "") -> Connection | None:
    """Return where the service is said to be; None when nothing says so.

    Args:
        url: Address of a service; empty for `TWINKLE_URL`, else the JupyterHub's, else the
            connection file.
        api_key: Its key; empty for `TWINKLE_API_KEY`.

    Raises:
        InvalidConfigError: There is an address without a key.
        NotAllowedError: The connection file belongs to, or can be read by, other users.
    """
    named = url or os.environ.get("TWINKLE_URL", "")
    if not named:
        return find_hub_connection() or _read_connection(connection_path())
    key = api_key or os.environ.get("TWINKLE_API_KEY", "")
    if not key:
        raise InvalidConfigError(
            f"There is no API key for the training service at {named}.",
            "Set TWINKLE_API_KEY, or unset TWINKLE_URL to use the service on this machine.",
        )
    return Connection(url=named.rstrip("/"), api_key=key)


def find_hub_connection() -> Connection | None:
    """Return the service of the JupyterHub whose server this is; None where there is none.

    The token is that of this very server, and goes to the address that the Hub has named: to
    another one, which `TWINKLE_URL` may name, it is never sent.
    """
    url, token = os.environ.get(HUB_VARIABLE, ""), os.environ.get("JUPYTERHUB_API_TOKEN", "")
    if not url or not token:
        return None
    return Connection(url=url.rstrip("/"), api_key=token, is_of_hub=True)


def write_connection(connection: Connection) -> Path:
    """Write the connection file, whole or not at all, with mode 0600; return where."""
    path = connection_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{FILE_NAME}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(connection), file)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return path


def remove_connection(pid: int) -> None:
    """Remove the connection file if it is that of process `pid`; another service's stays."""
    if is_announced(pid):
        with contextlib.suppress(OSError):
            connection_path().unlink(missing_ok=True)


def is_announced(pid: int) -> bool:
    """Tell whether the connection file is that of process `pid`."""
    try:
        written = json.loads(connection_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(written, dict) and written.get("pid") == pid


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and not yet reaped does not."""
    if pid <= 0 or sys.platform == "win32":
        return True  # nobody can tell
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's, or no /proc here
    return status.rpartition(")")[2].split()[0] != "Z"


def _read_connection(path: Path) -> Connection | None:
    try:
        with path.open(encoding="utf-8") as file:
            _refuse_shared(os.fstat(file.fileno()))
            written = json.load(file)
    except FileNotFoundError:
        return None
    except NotAllowedError:
        raise  # it is an OSError, too
    except (OSError, ValueError):
        # Cut or not ours to read: as good as none, and whoever starts a service replaces it.
        return None
    known = _parse(written)
    return known if known is not None and is_running(known.pid) else None


def _parse(written: object) -> Connection | None:
    if not isinstance(written, dict):
        return None
    fields = cast("dict[str, object]", written)
    url, api_key, pid = fields.get("url"), fields.get("api_key"), fields.get("pid")
    if not (isinstance(url, str) and isinstance(api_key, str) and isinstance(pid, int)):
        return None
    return Connection(url.rstrip("/"), api_key, pid, str(fields.get("version", "")))


def _refuse_shared(status: os.stat_result) -> None:
    if sys.platform == "win32":
        return  # a user's runtime directory is private there, and there are no mode bits
    hint = f"Remove {FILE_NAME} from Jupyter's runtime directory, then `%twinkle start`."
    if status.st_uid != os.getuid():
        raise NotAllowedError(
            f"The connection file {FILE_NAME} belongs to another user (uid {status.st_uid}).", hint
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(status.st_mode)
        raise NotAllowedError(
            f"The connection file {FILE_NAME} is open to other users (mode {mode:04o}, not 0600).",
            hint,
        )
