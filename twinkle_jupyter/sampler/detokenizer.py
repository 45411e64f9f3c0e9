"""Token ids to text as they come: whole characters only, special tokens left out."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from twinkle_jupyter.errors import InvalidDataError, NotFoundError


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the base model's tokenizer.json.

    Raises:
        NotFoundError: The folder has none.
        InvalidDataError: It cannot be read.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise NotFoundError(f"Folder {folder.name!r} has no tokenizer.json.")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises nothing narrower
        raise InvalidDataError(
            f"Base model {folder.name!r} has an unreadable tokenizer."
        ) from error


class Detokenizer:
    """The text of one answer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)

    def append(self, token: int) -> str:
        """Return the characters that this token completes; often one word, sometimes nothing."""
        return self._stream.step(self._tokenizer, token) or ""
