"""The sections of the service's configuration, one model each, with every range that is allowed."""

from __future__ import annotations

import importlib.util
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field

from twinkle_jupyter.config.base_models import resolve_base_model
from twinkle_jupyter.config.hub_section import told_by_hub, told_host, told_port
from twinkle_jupyter.config.section import Section
from twinkle_jupyter.config.trainer_settings import (
    Checkpointing,
    Dtype,
    SamplerEngine,
    SamplerPlacement,
    SamplerSettings,
    TrainerSettings,
)
from twinkle_jupyter.errors import NotFoundError

#: Of the base model: `auto` measures once which one this machine computes fastest in.
DtypeWish = Literal["auto", "float32", "bfloat16"]


def _check_engine(engine: SamplerEngine) -> SamplerEngine:
    if engine == "vllm" and importlib.util.find_spec("vllm") is None:
        raise ValueError("needs vLLM: `pip install 'twinkle-jupyter[vllm]'`, or take torch")
    return engine


def _check_source(source: str) -> str:
    try:
        resolve_base_model(source)
    except NotFoundError as error:
        raise ValueError(str(error)) from error
    return source


class HttpSection(Section):
    """Where the service listens."""

    host: str = Field(
        default_factory=lambda: told_host("127.0.0.1"),
        min_length=1,
        description="address to listen on; if not set, 127.0.0.1, or as a JupyterHub tells its"
        " service",
    )
    port: int = Field(
        default_factory=told_port,
        ge=0,
        le=65535,
        description="0 takes any free port; if not set, 0, or as a JupyterHub tells its service",
    )
    prefix: str = Field(
        default_factory=lambda: told_by_hub("JUPYTERHUB_SERVICE_PREFIX"),
        pattern="^(/.*/)?$",
        description="path of a proxy in front below which everything is found, too, such as"
        " /services/twinkle/; a service of a JupyterHub has it from there",
    )
    max_request_bytes: int = Field(
        default=64 * 2**20, ge=1024, le=2**32, description="largest body of a request"
    )


class TrainerSection(Section):
    """How a trainer computes, and how many adapters it keeps."""

    dtype: DtypeWish = Field(
        default="auto",
        description="number type of the base model, of the sampler's too; auto measures once which"
        " is fastest here",
    )
    token_budget: int = Field(
        default=8192, ge=1, le=2**24, description="tokens of one pass; more are split"
    )
    gradient_checkpointing: Checkpointing = Field(
        default="auto", description="compute activations twice instead of keeping them"
    )
    max_active_adapters: int = Field(
        default=64, ge=1, le=4096, description="adapters that one pass can train"
    )
    max_adapters: int = Field(
        default=1024, ge=1, le=2**20, description="adapters of one base model, on disk included"
    )
    host_memory_for_adapters: int = Field(
        default=2 * 2**30,
        ge=0,
        description="bytes of adapters that wait in memory; more go to disk",
    )
    cut_every_s: float = Field(
        default=20.0,
        gt=0,
        le=86_400,
        description="seconds of training that a restart of the trainer repeats at most",
    )
    keeps_journal: bool = Field(
        default=False, description="keep every op, so that a training can be repeated; it grows"
    )
    gpus: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of a GPU; if not set, half of one where there is a GPU",
    )

    def settings(self, dtype: str) -> TrainerSettings:
        """Return what a trainer is told, in the number type that was settled on."""
        return TrainerSettings(
            dtype=cast("Dtype", dtype),
            token_budget=self.token_budget,
            gradient_checkpointing=self.gradient_checkpointing,
            max_active_adapters=self.max_active_adapters,
            max_adapters=self.max_adapters,
            host_memory_for_adapters=self.host_memory_for_adapters,
            cut_every_s=self.cut_every_s,
            keeps_journal=self.keeps_journal,
        )


class SamplerSection(Section):
    """What answers, and with how much memory."""

    engine: Annotated[SamplerEngine, AfterValidator(_check_engine)] = Field(
        default="torch", description="what answers; vllm needs the extra of that name"
    )
    cache_bytes: int | None = Field(
        default=None,
        ge=2**20,
        le=2**44,
        description="memory for keys and values of answers; if not set, an eighth of the machine's"
        " memory, or half of what is free on a GPU",
    )
    replicas: int = Field(
        default=1, ge=1, le=64, description="samplers of each base model, which share the answers"
    )
    gpus: float | None = Field(
        default=None,
        ge=0,
        le=64,
        description="GPUs of each sampler, such as 0.5; if not set, half of one where there is one",
    )
    placement: Literal["auto", "apart", "with_trainer"] = Field(
        default="auto",
        description="a process of its own, or the trainer's, with one copy of the base model; auto"
        " is with_trainer on a GPU that has no room for two copies",
    )

    @property
    def placement_wish(self) -> SamplerPlacement | None:
        """Where the sampler is to be; None where the machine decides."""
        if self.placement != "auto":
            return self.placement
        can_be_with_trainer = self.engine == "torch" and self.replicas == 1 and self.gpus is None
        return None if can_be_with_trainer else "apart"

    def check_placement(self, path: str) -> None:
        """Raise ValueError, naming `path`, where the sampler cannot be where it is to be."""
        if self.placement != "with_trainer":
            return
        for name, is_right in (
            ("engine", self.engine == "torch"),
            ("replicas", self.replicas == 1),
            ("gpus", self.gpus is None),
        ):
            if not is_right:
                raise ValueError(
                    f"`{path}.{name}={getattr(self, name)}` cannot be had with"
                    f" `{path}.placement=with_trainer`: leave one of them out"
                )

    def settings(self, dtype: str, gpu_share: float) -> SamplerSettings:
        """Return what a sampler is told, in the number type that was settled on."""
        return SamplerSettings(
            engine=self.engine,
            dtype=cast("Dtype", dtype),
            cache_bytes=self.cache_bytes,
            gpu_share=gpu_share,
        )


class BaseModelSection(Section):
    """What is said of one base model alone; what is not said is as for all."""

    source: Annotated[str, AfterValidator(_check_source)] | None = Field(
        default=None,
        description="where it comes from, if not from its name: a bundled name, a folder, a hub"
        " name",
    )
    trainer: TrainerSection | None = Field(
        default=None, description="trainer settings that differ for this model"
    )
    sampler: SamplerSection | None = Field(
        default=None, description="sampler settings that differ for this model"
    )


class PlacementSection(Section):
    """What the machine gives."""

    num_threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads of compute; all cores if not set"
    )


class SessionsSection(Section):
    """Leases of clients that train by themselves."""

    timeout_s: float = Field(
        default=1800.0,
        gt=0,
        le=604_800,
        description="seconds of silence after which a client's adapters leave their slots",
    )


class AuditSection(Section):
    """How long it is known who did what."""

    keep_days: int = Field(default=90, ge=1, le=3650, description="days after which acts go")
    keep_entries: int = Field(
        default=10_000, ge=1, le=1_000_000, description="acts that are kept; older ones go"
    )


class TelemetrySection(Section):
    """What is written down about the service itself."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="from where on lines of the service's and the cluster's own logs are kept",
    )
