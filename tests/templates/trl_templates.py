"""Every chat template that TRL ships, each with a tokenizer that has its special tokens.

They are read out of TRL's wheel (Apache-2.0), of which nothing is installed and nothing is kept in
this repository: the wheel is fetched by pip, checked by its digest, and stays in the user's cache.
What vendors' templates in it say is theirs; here they are only run.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path
from tokenizers import AddedToken, Tokenizer

from tests.tiny_model import train_tokenizer
from twinkle_jupyter.templates.chat_template import ChatTemplate

VERSION = "1.16.0"
_WHEEL = f"trl-{VERSION}-py3-none-any.whl"
_SHA256 = "c4726e139dd40e1a41661511c639c8a68416782b2e3e8c0befebd77bb7ba0396"
_FOLDER, _ENDING = "trl/chat_templates/", ".jinja"
#: What templates write around turns: `<|im_end|>`, `<start_of_turn>`, `</s>`.
_MARKS = re.compile(
    r"<[|\uff5c][^<>\s'\"{}]+[|\uff5c]?>|<(?:start|end)_of_\w+>|</s>|<[a-z_]+\|>|\[/?INST\]"
)
BOS, EOS = "<bos>", "<eos>"


def fetch_wheel() -> Path:
    """Return TRL's wheel, from the cache or by pip."""
    folder = user_cache_path("twinkle") / "tests"
    wheel = folder / _WHEEL
    if not wheel.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"trl=={VERSION}"]
        done = subprocess.run(
            [*command, "-d", str(folder)], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert digest == _SHA256, f"{wheel} is not the file that the tests were written for"
    return wheel


@cache
def read_sources() -> dict[str, str]:
    """Return the Jinja of each template by its name."""
    with zipfile.ZipFile(fetch_wheel()) as archive:
        names = [name for name in archive.namelist() if name.startswith(_FOLDER)]
        return {
            name.removeprefix(_FOLDER).removesuffix(_ENDING): archive.read(name).decode()
            for name in sorted(names)
            if name.endswith(_ENDING)
        }


@cache
def build_template(source: str) -> ChatTemplate:
    """Return the template with a byte-level tokenizer to which its marks are special."""
    return ChatTemplate.build(
        build_tokenizer(source),
        source,
        {"bos_token": BOS, "eos_token": EOS},
    )


def build_tokenizer(source: str) -> Tokenizer:
    """Return a byte-level tokenizer to which the marks of this template are special."""
    tokenizer = train_tokenizer()
    marks = sorted({BOS, EOS, *_MARKS.findall(source)})
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    return tokenizer
