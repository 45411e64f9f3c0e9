"""Settings of the service, from arguments or `TWINKLE_…` variables, and the paths that follow."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.config.home import home_folder
from twinkle_jupyter.config.limits import Limits
from twinkle_jupyter.config.mistakes import settings_error
from twinkle_jupyter.config.trainer_settings import SamplerEngine, TrainerSettings

_STORES = frozenset({"redis", "rediss", "unix"})


def _check_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in _STORES or not (parts.netloc or parts.path):
        raise ValueError("must be the URL of a Redis server, such as redis://localhost:6379/0")
    return url


def _check_engine(engine: SamplerEngine) -> SamplerEngine:
    if engine == "vllm" and importlib.util.find_spec("vllm") is None:
        raise ValueError("needs vLLM: `pip install 'twinkle-jupyter[vllm]'`, or take torch")
    return engine


class ServiceConfig(BaseSettings):
    """How one service runs and where it keeps things. Arguments come before the environment."""

    model_config = SettingsConfigDict(
        env_prefix="TWINKLE_",
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,
        env_nested_delimiter="__",
        hide_input_in_errors=True,  # of pydantic's own, which a traceback would show
    )

    home: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] = Field(
        default_factory=home_folder, description="folder of all state"
    )
    store: Annotated[SecretStr, AfterValidator(_check_url)] | None = Field(
        default=None,
        description="URL of a Redis server that keeps runs and logs, instead of a file in `home`",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(default=0, ge=0, le=65535, description="0 takes any free port")
    base_model: str = Field(
        default=DEFAULT_BASE_MODEL,
        min_length=1,
        description="a bundled name, a local folder or a hub name",
    )
    max_request_bytes: int = Field(
        default=64 * 2**20, ge=1024, le=2**32, description="largest body of a request"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    num_threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads of compute; all cores if not set"
    )

    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of the base model; bfloat16 takes half the memory"
    )
    token_budget: int = Field(
        default=8192, ge=1, le=2**24, description="tokens of one pass; more are split"
    )
    gradient_checkpointing: Literal["auto", "on", "off"] = Field(
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
    sampler_engine: Annotated[SamplerEngine, AfterValidator(_check_engine)] = Field(
        default="torch", description="what answers; vllm needs the extra of that name"
    )
    session_timeout_s: float = Field(
        default=1800.0,
        gt=0,
        le=604_800,
        description="seconds of silence after which a client's adapters leave their slots",
    )
    keeps_journal: bool = Field(
        default=False, description="keep every op, so that a training can be repeated; it grows"
    )

    limits: Limits = Field(default=Limits(), description="what each user may have at once")

    @classmethod
    def load(cls, **settings: object) -> Self:
        """Read arguments and environment.

        Raises:
            InvalidConfigError: Names every setting that is wrong.
        """
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise settings_error(error, model=cls) from error

    @property
    def store_path(self) -> Path:
        """The SQLite file, which is the store unless that is a server."""
        return self.home / "store.sqlite3"

    @property
    def store_address(self) -> Path | str:
        """The SQLite file, or the URL of a server; may hold a password."""
        return self.store_path if self.store is None else self.store.get_secret_value()

    @property
    def artifacts(self) -> Path:
        """Folder of records and checkpoints."""
        return self.home / "artifacts"

    @property
    def lock_path(self) -> Path:
        """Held by the one service that uses this home."""
        return self.home / "service.lock"

    @property
    def log_path(self) -> Path:
        """Where the service writes its log; the same that `config.home` names."""
        return self.home / "service.log"

    @property
    def cluster_path(self) -> Path:
        """Address and secret of the running Ray, readable by its owner only."""
        return self.home / "cluster.json"

    @property
    def cluster_lock_path(self) -> Path:
        """Held by the one process that runs Ray for this home."""
        return self.home / "cluster.lock"

    @property
    def threads(self) -> int:
        """CPU threads of compute, with the default filled in."""
        return self.num_threads if self.num_threads is not None else os.cpu_count() or 1

    def as_environment(self) -> dict[str, str]:
        """Return the variables from which another process reads the same settings."""
        settings = self.model_dump(exclude={"store", "limits"}) | {"num_threads": self.threads}
        settings |= {f"limits__{name}": value for name, value in self.limits.model_dump().items()}
        if self.store is not None:
            settings["store"] = self.store.get_secret_value()
        return {f"TWINKLE_{name.upper()}": str(value) for name, value in settings.items()}

    @property
    def trainer(self) -> TrainerSettings:
        """What every trainer and sampler is told."""
        return TrainerSettings(
            dtype=self.dtype,
            token_budget=self.token_budget,
            gradient_checkpointing=self.gradient_checkpointing,
            max_active_adapters=self.max_active_adapters,
            max_adapters=self.max_adapters,
            host_memory_for_adapters=self.host_memory_for_adapters,
            cut_every_s=self.cut_every_s,
            keeps_journal=self.keeps_journal,
            sampler_engine=self.sampler_engine,
        )

    def trainer_folder(self, base_model: str) -> Path:
        """Where the trainer of a base model keeps its adapters between two lives."""
        # A base model may be named by a path, which is no name for a folder.
        return self.artifacts / "trainers" / hashlib.sha256(base_model.encode()).hexdigest()[:16]

    def run_folder(self, run_id: str) -> Path:
        """Where a run's records and checkpoints lie."""
        return self.artifacts / "runs" / run_id

    def checkpoint_folder(self, run_id: str, name: str) -> Path:
        """Where one checkpoint of a run lies."""
        return self.run_folder(run_id) / "checkpoints" / name

    def client_weights_folder(self, adapter_id: str, kind: str, name: str) -> Path:
        """Where weights lie that a client saved of an adapter that it trains."""
        return self.artifacts / "clients" / adapter_id / kind / name
