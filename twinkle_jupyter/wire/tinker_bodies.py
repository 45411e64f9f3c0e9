"""JSON bodies of the Tinker protocol, as its clients from 0.22 to 0.38 send and read them.

Fields that we do not know are ignored: a newer client may send more, and still works.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from twinkle_jupyter.wire.stops import StopText, StopTexts, StopTokens

#: What may be part of a `tinker://` path and of a folder's name.
_NAME = re.compile(r"\w[\w.:-]{0,127}", re.ASCII)
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Metadata = dict[str, JsonValue]
#: Clients count from 1, and copies of them from random places on.
_Number = Annotated[int, Field(ge=0, lt=2**63)]
_SequenceId = Annotated[int, Field(ge=1, lt=2**63)]
#: Seconds until a checkpoint goes: an hour to ten years.
Ttl = Annotated[int, Field(ge=3600, le=315_360_000)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class TensorBody(_Body):
    """A tensor of one or two dimensions, dense or in compressed rows."""

    data: list[float]
    dtype: Literal["float32", "int64"]
    shape: list[int] | None = None
    sparse_crow_indices: list[int] | None = None
    sparse_col_indices: list[int] | None = None


class ChunkBody(_Body):
    """A part of a prompt."""

    type: str = "encoded_text"
    tokens: list[int] = []


class ModelInputBody(_Body):
    """A prompt."""

    chunks: list[ChunkBody]


class DatumBody(_Body):
    """One row to train on."""

    model_input: ModelInputBody
    loss_fn_inputs: dict[str, TensorBody]


class LossInputBody(_Body):
    """Rows, and the loss to compute over them."""

    data: list[DatumBody]
    loss_fn: str
    loss_fn_config: dict[str, float] | None = None


class PassBody(_Body):
    """`POST forward_backward` as JSON, and `POST forward`."""

    model_id: Identifier
    seq_id: _SequenceId
    loss_input: LossInputBody = Field(
        validation_alias=AliasChoices("forward_backward_input", "forward_input")
    )


class CreateSessionBody(_Body):
    """`POST create_session`."""

    tags: list[str] = []
    user_metadata: Metadata | None = None
    sdk_version: str = ""
    display_name: str | None = None


class SessionBody(_Body):
    """`POST session_heartbeat`."""

    session_id: Identifier


class FinishReasonBody(_Body):
    """How a session ended."""

    type: str = "success"


class FinishSessionBody(_Body):
    """`POST sessions/{id}/finish`."""

    reason: FinishReasonBody = FinishReasonBody()


class LoraConfigBody(_Body):
    """Shape of an adapter."""

    rank: int = Field(ge=1, le=256)
    seed: int | None = None
    train_unembed: bool = True
    train_mlp: bool = True
    train_attn: bool = True


class OptimizerConfigBody(_Body):
    """Which optimizer a model is to have."""

    type: str = "adamw"


class CreateModelBody(_Body):
    """`POST create_model`."""

    session_id: Identifier
    model_seq_id: _Number
    base_model: str = Field(min_length=1, max_length=500)
    user_metadata: Metadata | None = None
    lora_config: LoraConfigBody = LoraConfigBody(rank=32)
    optimizer_config: OptimizerConfigBody = OptimizerConfigBody()


class ModelBody(_Body):
    """`POST get_info` and `POST unload_model`."""

    model_id: Identifier


class AdamBody(_Body):
    """AdamW's settings, with the defaults of the protocol."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0


class OptimizerParamsBody(_Body):
    """Settings of an optimizer that is named with them."""

    type: str = "adamw"


class OptimStepBody(_Body):
    """`POST optim_step`."""

    model_id: Identifier
    seq_id: _SequenceId
    adam_params: AdamBody | None = None
    optimizer_params: OptimizerParamsBody | None = None


class SaveWeightsBody(_Body):
    """`POST save_weights`; an older client gives no name."""

    model_id: Identifier
    path: str | None = None
    seq_id: _SequenceId
    ttl_seconds: Ttl | None = None
    overwrite: bool = False
    user_metadata: Metadata | None = None


class SaveForSamplerBody(SaveWeightsBody):
    """`POST save_weights_for_sampler`: under a name, or for one sampling session."""

    sampling_session_seq_id: _Number | None = None


class SaveExternalBody(SaveWeightsBody):
    """`POST save_weights_external`: for other programs."""

    age_encryption_recipients: list[str] | None = None


class CopyWeightsBody(_Body):
    """`POST copy_weights`."""

    source_path: str
    destination_project_id: str | None = None
    session_id: Identifier | None = None
    model_seq_id: int | None = Field(default=None, ge=0)
    ttl_seconds: Ttl | None = None


class LoadWeightsBody(_Body):
    """`POST load_weights`: into a model, or as a new one of a session."""

    path: str
    optimizer: bool = False
    model_id: Identifier | None = None
    seq_id: _SequenceId | None = None
    session_id: Identifier | None = None
    model_seq_id: _Number | None = None
    base_model: str | None = None
    user_metadata: Metadata | None = None


class RetrieveBody(_Body):
    """`POST retrieve_future` and `POST cancel_future`."""

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class FuturesTargetBody(_Body):
    """One sampling session, or a copy of it."""

    type: Literal["sampling_session"] = "sampling_session"
    sampling_session_id: Identifier
    cloned_sampler_id: int = Field(default=0, ge=0)


class RetrieveManyBody(_Body):
    """`POST retrieve_futures`."""

    target: FuturesTargetBody
    #: Everything up to here was told before.
    prev_cursor: int = Field(default=0, ge=0)
    #: Seconds; None for as long as may be.
    timeout: float | None = Field(default=None, ge=0)


class CreateSamplingSessionBody(_Body):
    """`POST create_sampling_session`."""

    session_id: Identifier
    sampling_session_seq_id: _Number
    base_model: str | None = None
    model_path: str | None = None


class SamplingParamsBody(_Body):
    """How tokens are chosen; `stop` null ends where the template does, an empty list never."""

    max_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    stop: StopText | StopTexts | StopTokens | None = None
    temperature: float = Field(default=1.0, ge=0)
    top_k: int = -1
    top_p: float = Field(default=1.0, gt=0, le=1)


class SampleBody(_Body):
    """`POST asample`."""

    sampling_session_id: Identifier | None = None
    base_model: str | None = None
    model_path: str | None = None
    seq_id: _Number = 0
    num_samples: int = Field(default=1, ge=1, le=256)
    prompt: ModelInputBody
    sampling_params: SamplingParamsBody = SamplingParamsBody()
    prompt_logprobs: bool | None = None
    topk_prompt_logprobs: int = Field(default=0, ge=0, le=100)
    topk_sample_logprobs: int = Field(default=0, ge=0, le=100)
    prompt_logprobs_last_n: int | None = Field(default=None, ge=0)
    prompt_alt_tokens_k: int = Field(default=0, ge=0, le=100)
    target_prompt_logprobs: TensorBody | None = None


class PathBody(_Body):
    """`POST weights_info`."""

    tinker_path: str


class TtlBody(_Body):
    """`PUT …/ttl`; null keeps it for good."""

    ttl_seconds: Ttl | None = None


def is_name(text: str) -> bool:
    """Whether a checkpoint may have this name."""
    return _NAME.fullmatch(text) is not None
