"""Base models as a service announces them: a name, and whose chat template goes with it."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class SupportedModel(BaseModel):
    """An entry with more than a name; what else it says is announced as it is."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    model_name: str = Field(min_length=1)
    template_init_model_id: str | None = None


SupportedModels: TypeAlias = tuple[SupportedModel | str, ...]
