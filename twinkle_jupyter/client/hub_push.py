"""A folder to a model hub, by the hub's own library; the token goes to the hub and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from twinkle_jupyter.errors import (
    InvalidConfigError,
    NotAllowedError,
    ServiceUnavailableError,
    TwinkleError,
)

_HINT = "Set HF_TOKEN, or name a file that holds it with --token-file."
_NOT_ALLOWED = frozenset({401, 403})


def read_hub_token(token_file: str | None) -> str:
    """Return the token in the file, else that of `HF_TOKEN`.

    Raises:
        NotAllowedError: There is none.
        InvalidConfigError: The file cannot be read.
    """
    if token_file is None:
        token = os.environ.get("HF_TOKEN", "").strip()
    else:
        try:
            token = Path(token_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfigError(f"`--token-file {token_file}` cannot be read.") from error
    if not token:
        raise NotAllowedError("There is no token for the hub.", _HINT)
    if not token.isascii() or any(letter.isspace() for letter in token):
        # It is not shown: it may be a secret in the wrong place.
        raise NotAllowedError("What stands for the hub's token cannot be one.", _HINT)
    return token


def check_repository(repository: str) -> None:
    """See that this can be the name of a repository: `owner/name`.

    Raises:
        InvalidConfigError: It cannot.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise InvalidConfigError(
            f"`{repository}` is not the name of a hub repository.", "Write it as `owner/name`."
        ) from error


def push_folder(folder: Path, repository: str, token: str, *, is_private: bool, note: str) -> str:
    """Make the repository unless it is there, and put the folder's files into it by one commit.

    Args:
        folder: Whose files are sent.
        repository: `owner/name`.
        token: Of somebody who may write to it.
        is_private: Of a repository that is made now.
        note: Message of the commit.

    Returns:
        The repository's address.

    Raises:
        InvalidConfigError: The name cannot be one.
        NotAllowedError: The hub does not take the token, or not for this repository.
        ServiceUnavailableError: The hub cannot be reached, or has failed.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    check_repository(repository)
    # Read now, so that it can be set in a notebook after the library is there.
    hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)
    try:
        made = hub.create_repo(repository, private=is_private, exist_ok=True)
        hub.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message=note)
    except HfHubHTTPError as error:
        raise _refusal(repository, error.response.status_code) from error
    except (RuntimeError, ValueError) as error:
        # How the library says that a file of several was not taken.
        raise ServiceUnavailableError(
            f"The hub did not take everything, so nothing was pushed to `{repository}`:"
            f" {(str(error).splitlines() or [''])[0].rstrip('.')}.",
            "Try again later.",
        ) from error
    except Exception as error:
        # Which HTTP library it speaks through, and so what it raises, differs by its version.
        raise ServiceUnavailableError(
            f"The hub cannot be reached, so nothing was pushed to `{repository}`.",
            "Look at the network, or at HF_ENDPOINT, then try again.",
        ) from error
    return str(made)


def _refusal(repository: str, status: int) -> TwinkleError:
    if status in _NOT_ALLOWED:
        return NotAllowedError(
            f"The hub does not let this token write to `{repository}`.",
            "Take a token with write access, or a repository of your own.",
        )
    return ServiceUnavailableError(
        f"The hub answered with status {status}, and `{repository}` was not pushed.",
        "Try again later.",
    )
