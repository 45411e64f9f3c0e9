"""What a checkpoint is kept for, as it is typed."""

from __future__ import annotations

from typing import cast

import pytest

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook.service_link import ServiceLink
from twinkle_jupyter.notebook.session import Face, Session
from twinkle_jupyter.notebook.verbs import run


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "1e306"])
def test_a_time_that_is_over_or_none_keeps_nothing(hours: str) -> None:
    session = Session(cast("Face", None), ServiceLink())
    with pytest.raises(InvalidConfigError, match=r"^`--ttl-hours \S+` is no time above 0\."):
        run(session, ["checkpoint", "pirate", "--ttl-hours", hours])
