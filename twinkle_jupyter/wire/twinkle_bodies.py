"""JSON bodies of the Twinkle protocol, as its client 0.5.1 sends them.

Nearly every body may carry more than its own fields: arguments of whatever class is named in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from twinkle_jupyter.wire.stops import StopText, StopTexts, StopTokens

#: What may be part of a path and of a folder's name.
_ADAPTER_NAME = re.compile(r"\w[\w.-]{0,199}", re.ASCII)
#: What becomes an underscore in the name of a checkpoint.
_NOT_IN_A_NAME = re.compile(r"[^\w-]", re.ASCII)
#: Arguments about places that there are not here; upstream drops them, too.
_PLACES = frozenset({"remote_group", "device_mesh"})

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Json = dict[str, JsonValue]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    @property
    def arguments(self) -> Mapping[str, JsonValue]:
        """What came beside the body's own fields and is not null."""
        extra = self.model_extra or {}
        return {
            name: value
            for name, value in extra.items()
            if value is not None and name not in _PLACES
        }


class BeginSessionBody(_Body):
    """`POST create_session`."""

    metadata: Json | None = None


class HeartbeatBody(_Body):
    """`POST session_heartbeat`."""

    session_id: Name


class WeightsBody(_Body):
    """`POST weights_info`."""

    twinkle_path: str


class OfAdapterBody(_Body):
    """Whatever is asked of an adapter."""

    adapter_name: Name


class AddAdapterBody(OfAdapterBody):
    """`POST add_adapter_to_model`; `config` is a JSON text, or the object itself."""

    config: str | Json | None = None
    save_dir: str | None = None
    gradient_accumulation_steps: int = Field(default=1, ge=1, le=100_000)
    seed: int = 0


class InputsBody(OfAdapterBody):
    """`POST forward`, `forward_only` and `forward_backward`."""

    inputs: JsonValue


class ClipBody(OfAdapterBody):
    """`POST clip_grad_norm` and `clip_grad_and_step`."""

    max_grad_norm: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    norm_type: float = 2


class SetLossBody(OfAdapterBody):
    """`POST set_loss`."""

    loss_cls: str


class SetOptimizerBody(OfAdapterBody):
    """`POST set_optimizer`."""

    optimizer_cls: str


class SetScheduleBody(OfAdapterBody):
    """`POST set_lr_scheduler`."""

    scheduler_cls: str


class SetProcessorBody(OfAdapterBody):
    """`POST set_processor`."""

    processor_cls: str


class SetTemplateBody(OfAdapterBody):
    """`POST set_template` of a model."""

    template_cls: str


class AddMetricBody(OfAdapterBody):
    """`POST add_metric`; `is_training` null means both."""

    metric_cls: str
    is_training: bool | None = None


class MetricBody(OfAdapterBody):
    """`POST calculate_metric`."""

    is_training: bool = True


class PatchBody(OfAdapterBody):
    """`POST apply_patch`."""

    adapter_name: str | None = None  # type: ignore[assignment] # a sampler's client sends null
    patch_cls: str


class SaveBody(OfAdapterBody):
    """`POST save`."""

    name: str | None = None
    save_optimizer: bool = False
    is_sampler: bool = False
    consumed_train_samples: int = Field(default=0, ge=0)


class LoadBody(OfAdapterBody):
    """`POST load`."""

    name: str
    load_optimizer: bool = False


class ResumeBody(OfAdapterBody):
    """`POST resume_from_checkpoint`."""

    name: str
    resume_only_model: bool = False


class UploadBody(_Body):
    """`POST upload_to_hub`."""

    checkpoint_dir: str | Json
    hub_model_id: str


class TokenChoiceBody(BaseModel):
    """How tokens are chosen; `max_tokens` 0 asks for the prompt's scores alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int | None = Field(
        default=None, ge=0, validation_alias=AliasChoices("max_tokens", "max_new_tokens")
    )
    seed: int | None = None
    stop: StopText | StopTexts | StopTokens | None = None
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    top_k: int = Field(default=-1, ge=-1)
    top_p: float = Field(default=1.0, gt=0, le=1)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    logprobs: int | None = Field(default=None, ge=0, le=100)
    prompt_logprobs: int | None = Field(default=None, ge=0, le=100)
    num_samples: int = Field(default=1, ge=1, le=256)


class SamplingBody(_Body):
    """`POST sample` and `sample_stream`."""

    inputs: JsonValue
    sampling_params: Json | None = None
    adapter_name: str = ""
    adapter_uri: str | None = None
    num_samples: int = Field(default=1, ge=1, le=256)


class SamplerTemplateBody(_Body):
    """`POST set_template` of a sampler."""

    template_cls: str
    adapter_name: str = ""


class CreateProcessorBody(_Body):
    """`POST create` of the processor app."""

    processor_type: str
    class_type: str


class CallBody(_Body):
    """`POST call` of the processor app."""

    processor_id: Name
    function: str


def is_adapter_name(text: str) -> bool:
    """Whether an adapter may have this name."""
    return _ADAPTER_NAME.fullmatch(text) is not None


def clean_checkpoint_name(text: str) -> str:
    """Return the name that a checkpoint gets: all but letters, digits and `-` become `_`."""
    return _NOT_IN_A_NAME.sub("_", text)
