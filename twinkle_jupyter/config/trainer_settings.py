"""How trainers and samplers compute: plain data that crosses process borders.

Apart from `service_config`, so that who trains need not load pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Dtype: TypeAlias = Literal["float32", "bfloat16", "float64"]
SamplerEngine: TypeAlias = Literal["torch", "vllm"]
#: Whether a sampler has a process and a copy of the base model of its own, or the trainer's.
SamplerPlacement: TypeAlias = Literal["apart", "with_trainer"]
Checkpointing: TypeAlias = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class DtypeChoice:
    """The number type of a base model's weights and activations, and why that one."""

    dtype: Literal["float32", "bfloat16"]
    #: Ends a sentence: "2.1x as fast as float32 on this machine". Empty where somebody has said it.
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.dtype}: {self.reason}" if self.reason else self.dtype


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """Settings of one trainer."""

    #: Of the base model's weights and of its activations; adapters are never below float32.
    dtype: Dtype = "float32"
    #: Tokens of one forward and backward pass at most.
    token_budget: int = 8192
    #: Whether activations are computed twice instead of kept; auto where memory is short.
    gradient_checkpointing: Checkpointing = "auto"
    #: Adapters that one pass can train; more take turns.
    max_active_adapters: int = 64
    #: Adapters that a trainer has in memory and on disk together.
    max_adapters: int = 1024
    #: Bytes of adapters in host memory, those in slots not counted; more go to disk.
    host_memory_for_adapters: int = 2 * 2**30
    #: Seconds between two snapshots of all adapters: what a restart repeats at most.
    cut_every_s: float = 20.0
    #: Keep every op there ever was, so that a training can be repeated from its beginning.
    keeps_journal: bool = False
    #: Absolute folder of one trainer alone, for adapters on disk; "" is a temporary one.
    scratch: str = ""


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """Settings of one sampler."""

    #: What answers: our own sampler, or vLLM.
    engine: SamplerEngine = "torch"
    #: Of the base model's weights; the trainer's.
    dtype: Dtype = "float32"
    #: For keys and values; by the machine's memory if None.
    cache_bytes: int | None = None
    #: Share of its GPU that is this sampler's.
    gpu_share: float = 1.0
    #: Absolute folder of one sampler alone, for what vLLM reads; "" is a temporary one.
    scratch: str = ""
