"""The tiny model's template."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinkle_jupyter.templates.chat_template import ChatTemplate


@pytest.fixture(scope="session")
def template(tiny_model: Path) -> ChatTemplate:
    return ChatTemplate.load(tiny_model)
