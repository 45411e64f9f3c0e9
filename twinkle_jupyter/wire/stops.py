"""What ends an answer, as the bodies of several protocols say it: looked for at every token."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

StopText = Annotated[str, StringConstraints(max_length=1000)]
StopTexts = Annotated[list[StopText], Field(max_length=64)]
StopTokens = Annotated[list[int], Field(max_length=1024)]
