"""How one service runs: one model of it, from a file, `TWINKLE_…` variables and arguments."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL
from twinkle_jupyter.config.config_file import read_config_file
from twinkle_jupyter.config.config_mistakes import config_error, refuse_misspelt_variables
from twinkle_jupyter.config.home import home_folder
from twinkle_jupyter.config.hub_section import HubSection
from twinkle_jupyter.config.limits import Limits
from twinkle_jupyter.config.service_sections import (
    AuditSection,
    BaseModelSection,
    HttpSection,
    PlacementSection,
    SamplerSection,
    SessionsSection,
    TelemetrySection,
    TrainerSection,
)
from twinkle_jupyter.config.settings_tree import list_settings
from twinkle_jupyter.config.supported_models import SupportedModels
from twinkle_jupyter.config.trainer_settings import TrainerSettings

_STORES = frozenset({"redis", "rediss", "unix"})
#: What a password is shown as.
HIDDEN = "***"
#: Names the file with settings.
FILE_VARIABLE = "TWINKLE_CONFIG"
#: Under this name `load` hands on what the file said.
_FROM_FILE = "from_file"
#: What a cluster process does not care about may differ from service to service: ports, limits.
_OF_THE_CLUSTER = frozenset(
    {"home", "store", "base_model", "base_models", "trainer", "sampler", "placement"}
)


def _check_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in _STORES or not (parts.netloc or parts.path):
        raise ValueError("must be the URL of a Redis server, such as redis://localhost:6379/0")
    if HIDDEN in (parts.password, *parse_qs(parts.query).get("password", ())):
        raise ValueError(
            f"has the password {HIDDEN}, as it is shown: write it, or set TWINKLE_STORE"
        )
    return url


class ServiceConfig(BaseSettings):
    """How one service runs and where it keeps things.

    Arguments come before the environment, and that before the file.
    """

    model_config = SettingsConfigDict(
        env_prefix="TWINKLE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # of pydantic's own, which a traceback would show
    )

    home: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] = Field(
        default_factory=home_folder,
        description="folder of all state; if not set, the user's data folder",
    )
    store: Annotated[SecretStr, AfterValidator(_check_url)] | None = Field(
        default=None,
        description="URL of a Redis server that keeps runs and logs, instead of a file in `home`",
    )
    base_model: str = Field(
        default=DEFAULT_BASE_MODEL,
        min_length=1,
        description="the model that is loaded at once: a bundled name, a folder, a hub name, or"
        " one of `base_models`",
    )
    supported_models: SupportedModels = Field(
        default=(),
        description="base models to announce to clients, by name or with whose template to use",
    )
    base_models: dict[str, BaseModelSection] = Field(
        default_factory=dict, description="what is said of single base models, by name"
    )
    on_drift: Literal["abort", "warn", "clear"] = Field(
        default="abort",
        description="what to do when stored state was made with other settings: end with what"
        " differs, go on, or delete that state",
    )
    http: HttpSection = Field(default_factory=HttpSection, description="where it listens")
    trainer: TrainerSection = Field(default_factory=TrainerSection, description="how they compute")
    sampler: SamplerSection = Field(default_factory=SamplerSection, description="what answers")
    placement: PlacementSection = Field(default_factory=PlacementSection, description="CPU threads")
    sessions: SessionsSection = Field(
        default_factory=SessionsSection, description="clients' leases"
    )
    audit: AuditSection = Field(default_factory=AuditSection, description="which acts are kept")
    telemetry: TelemetrySection = Field(
        default_factory=TelemetrySection, description="what is written down of the service itself"
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        checked = {"trainer": self.trainer} | {
            f"base_models.{name}.trainer": self.trainer_of(name) for name in self.base_models
        }
        for path, trainer in checked.items():
            if trainer.max_active_adapters > trainer.max_adapters:
                raise ValueError(
                    f"`{path}.max_active_adapters={trainer.max_active_adapters}` is more than"
                    f" `max_adapters={trainer.max_adapters}`"
                )
        self.sampler.check_placement("sampler")
        for name in self.base_models:
            self.sampler_of(name).check_placement(f"base_models.{name}.sampler")
        return self

    limits: Limits = Field(default=Limits(), description="what each user may have at once")
    hub: HubSection = Field(default_factory=HubSection, description="the JupyterHub around it")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, then the file that `load` was given."""
        given = dict(init_settings())
        from_file = given.pop(_FROM_FILE, {})
        return (
            InitSettingsSource(settings_cls, given),
            env_settings,
            InitSettingsSource(settings_cls, from_file),
        )

    @classmethod
    def load(cls, file: Path | None = None, **settings: object) -> Self:
        """Read arguments, environment and file.

        Args:
            file: YAML with any of the settings; `TWINKLE_CONFIG` names one, too.
            settings: By name; those of a section in a mapping.

        Raises:
            InvalidConfigError: Names every setting that is wrong.
            NotFoundError: There is no such file.
        """
        if file is None and (named := os.environ.get(FILE_VARIABLE)):
            file = Path(named)
        from_file = read_config_file(file.expanduser()) if file is not None else {}
        refuse_misspelt_variables(cls, os.environ)
        try:
            return cls.model_validate({**settings, _FROM_FILE: from_file})
        except ValidationError as error:
            raise config_error(error, cls) from error

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
    def cluster_digest_path(self) -> Path:
        """By which settings the running cluster process was started."""
        return self.home / "cluster.digest"

    @property
    def cluster_lock_path(self) -> Path:
        """Held by the one process that runs Ray for this home."""
        return self.home / "cluster.lock"

    @property
    def threads(self) -> int:
        """CPU threads of compute, with the default filled in."""
        return self.placement.num_threads or os.cpu_count() or 1

    def as_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return `environment` such that a process with it reads just these settings.

        What is between the service and a JupyterHub stays between them.
        """
        settings = {setting.variable: setting for setting in list_settings(type(self))}
        others = {
            name: value
            for name, value in environment.items()
            if name not in {*settings, FILE_VARIABLE} and not name.startswith("JUPYTERHUB_")
        }
        said = [(n, one.text_in(self)) for n, one in settings.items() if one.path[0] != "hub"]
        return others | {name: text for name, text in said if text is not None}

    @property
    def cluster_digest(self) -> str:
        """Tells apart what cluster processes are told, without saying what that is."""
        said = [
            (setting.dotted, setting.text_in(self))
            for setting in list_settings(type(self))
            if setting.path[0] in _OF_THE_CLUSTER
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def trainer_of(self, base_model: str) -> TrainerSection:
        """Return the trainer settings of one base model: its own where it has them."""
        own = self.base_models.get(base_model)
        return _merged(self.trainer, own.trainer if own is not None else None)

    def sampler_of(self, base_model: str) -> SamplerSection:
        """Return the sampler settings of one base model: its own where it has them."""
        own = self.base_models.get(base_model)
        return _merged(self.sampler, own.sampler if own is not None else None)

    def trainer_settings(self, base_model: str, dtype: str) -> TrainerSettings:
        """Return what the trainer of a base model is told, in the number type settled on."""
        return self.trainer_of(base_model).settings(dtype)

    def source_of(self, base_model: str) -> str:
        """Return where a base model comes from: its own name where nothing else is said."""
        own = self.base_models.get(base_model)
        return (own.source if own is not None else None) or base_model

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


_S = TypeVar("_S", TrainerSection, SamplerSection)


def _merged(shared: _S, own: _S | None) -> _S:
    if own is None:
        return shared
    said = {name: getattr(own, name) for name in own.model_fields_set}
    return shared.model_copy(update=said)
