"""The exception tree: one class for each thing a person can do about a failure.

    TwinkleError
    ├── InvalidConfigError        fix the setting
    ├── ConfigDriftError          set it back, or say what becomes of what is stored
    ├── InvalidDataError          fix the data
    ├── NotFoundError             look for another name
    ├── NotAllowedError           use another key
    ├── ForbiddenError            ask an admin
    ├── ConflictError             look again, then decide
    ├── QuotaExceededError        wait
    ├── ServiceUnavailableError   start it, or try again
    ├── OutOfMemoryError          shrink
    ├── RunFailedError            look at the run
    └── MissingDependencyError    install

Each also is the standard-library class it stands for. Arguments are positional, so that an error
survives Ray. Only `service/error_bodies.py` knows status codes.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Hint of an error that was found before anything was done.
NOTHING_STARTED = "Nothing was started."


class TwinkleError(Exception):
    """What is wrong, what to do about it, and a stable code that programs compare.

    Args:
        message: One sentence with the name and the value as the user wrote them.
        hint: What to do next, ideally a line that can be pasted; may be empty.
        code: Stable identifier; defaults to the class's own.
    """

    code = "internal_error"

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint, code)
        self.message = message
        self.hint = hint
        if code:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def as_fields(self) -> dict[str, str]:
        """Return the inner part of an error body."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class InvalidConfigError(TwinkleError, ValueError):
    """A setting is outside of what is allowed; the message names every such setting."""

    code = "invalid_config"


class ConfigDriftError(TwinkleError, ValueError):
    """Stored state was made with other settings; the message names each with both values."""

    code = "config_drift"


class InvalidDataError(TwinkleError, ValueError):
    """A record cannot be trained on; the message names the row."""

    code = "invalid_data"


class NotFoundError(TwinkleError, LookupError):
    """Nothing of that name belongs to this user."""

    code = "not_found"


class NotAllowedError(TwinkleError, PermissionError):
    """The API key is missing, wrong or not enough."""

    code = "not_allowed"


class ForbiddenError(TwinkleError, PermissionError):
    """The user is known and may not do this, however good their key."""

    code = "forbidden"


class ConflictError(TwinkleError, RuntimeError):
    """The thing exists in another state than the request takes for granted."""

    code = "conflict"


class QuotaExceededError(TwinkleError, RuntimeError):
    """The user has as much queued or stored as the service allows.

    Args:
        message: As of every error, and so are the next two.
        hint: Next step.
        code: Stable identifier.
        retry_after_s: Seconds after which there is room; infinite where waiting alone does not
            make any, None where nobody knows.
    """

    code = "quota_exceeded"

    def __init__(
        self, message: str, hint: str = "", code: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, hint, code)
        self.args = (message, hint, code, retry_after_s)
        self.retry_after_s = retry_after_s


#: Code of a `ServiceUnavailableError` that waiting mends: a base model is being loaded.
STARTING = "starting"

#: Code of a `ServiceUnavailableError`: an admin has the service rest, and says why.
MAINTENANCE = "maintenance"

#: Code of a `ConflictError`: nobody waited for the op when its turn came.
CANCELLED = "cancelled"
#: Code of a `ConflictError`: the adapter's next free sequence id is another one.
SENT_BEFORE = "sent_before"


class ServiceUnavailableError(TwinkleError, ConnectionError):
    """The service is not running, not ready or not answering; trying again may help."""

    code = "service_unavailable"


class OutOfMemoryError(TwinkleError, MemoryError):
    """The work does not fit into memory even when split."""

    code = "out_of_memory"


class RunFailedError(TwinkleError, RuntimeError):
    """A run ended by itself before its last step."""

    code = "run_failed"


class MissingDependencyError(TwinkleError, ImportError):
    """An optional package is needed for this."""

    code = "missing_dependency"


_CLASSES: dict[str, type[TwinkleError]] = {
    **{kind.code: kind for kind in TwinkleError.__subclasses__()},
    STARTING: ServiceUnavailableError,
    MAINTENANCE: ServiceUnavailableError,
    CANCELLED: ConflictError,
    SENT_BEFORE: ConflictError,
}


def error_from_fields(fields: Mapping[str, str]) -> TwinkleError:
    """Rebuild what `as_fields` was asked of; an unknown code stays a `TwinkleError`."""
    kind = _CLASSES.get(fields["code"], TwinkleError)
    return kind(fields["message"], fields.get("hint", ""), fields["code"])
