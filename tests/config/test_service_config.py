"""Settings of the service: where they come from, what is refused, and their text."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from twinkle_jupyter.config.config_text import write_config, write_example
from twinkle_jupyter.config.limits import Limits, UserLimits
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.config.settings_tree import list_settings
from twinkle_jupyter.config.signature import find_drift, make_signature
from twinkle_jupyter.config.trainer_settings import SamplerSettings, TrainerSettings
from twinkle_jupyter.errors import InvalidConfigError, NotFoundError


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_HOME", str(tmp_path))


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "service.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_arguments_come_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _file(
        tmp_path,
        "http: {port: 1, host: 0.0.0.0, max_request_bytes: 2048}\ntelemetry: {log_level: error}\n",
    )
    monkeypatch.setenv("TWINKLE_HTTP__PORT", "2")
    monkeypatch.setenv("TWINKLE_HTTP__HOST", "::1")
    monkeypatch.setenv("TWINKLE_URL", "http://of-the-client")
    config = ServiceConfig.load(file, http={"port": 9})
    assert config.home == tmp_path
    assert (config.http.port, config.http.host, config.http.max_request_bytes) == (9, "::1", 2048)
    assert config.telemetry.log_level == "error"
    monkeypatch.setenv("TWINKLE_CONFIG", str(file))
    assert ServiceConfig.load(http={"port": 9}) == config


def test_paths_follow_from_home(tmp_path: Path) -> None:
    config = ServiceConfig.load()
    paths = (config.store_path, config.lock_path, config.log_path)
    assert paths == tuple(tmp_path / n for n in ("store.sqlite3", "service.lock", "service.log"))
    folder = tmp_path / "artifacts" / "runs" / "run_a" / "checkpoints" / "step-000010"
    assert config.checkpoint_folder("run_a", "step-000010") == folder


def test_the_store_is_a_file_or_a_server_whose_password_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ServiceConfig.load().store_address == tmp_path / "store.sqlite3"
    url = "rediss://ada:sesame@redis.lab:6380/2"
    monkeypatch.setenv("TWINKLE_STORE", url)
    config = ServiceConfig.load()
    assert config.store_address == url
    assert config.as_environment({})["TWINKLE_STORE"] == url
    text = write_config(config, "yaml")
    assert "store: rediss://ada:***@redis.lab:6380/2\n" in text
    assert "sesame" not in f"{config!r} {config} {config.model_dump_json()} {text}"
    in_query = ServiceConfig.load(store="redis://host/1?password=sesame&db=2")
    assert "store: redis://host/1?password=***&db=2\n" in write_config(in_query, "yaml")
    for wrong in (
        "ftp://ada:sesame@host",
        "ada:sesame",
        "redis://",
        "redis://ada:***@host",
        "redis://host?password=***",
    ):
        with pytest.raises(InvalidConfigError, match="`store`: ") as caught:
            ServiceConfig.load(store=wrong)
        assert "sesame" not in f"{caught.value!r} {caught.value.__cause__}"


def test_every_mistake_is_named_at_once_with_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINKLE_HTTP__PORT", "http")
    file = _file(
        tmp_path,
        "telemetry: {log_level: loud}\nplacement: {num_threads: 0}\nprot: 1\nport: 2\n"
        "trainer: {dtpye: float16, max_active_adapters: 8, max_adapters: 4}\n"
        "telemetry_config: {}\npersistence_config: {}\nuse_megatron: true\n"
        "base_models: {small: {source: ./nowhere}}\n",
    )
    with pytest.raises(InvalidConfigError) as caught:
        ServiceConfig.load(file)
    assert caught.value.message.replace(". `", ".\n`").splitlines() == [
        "`base_models.small.source`: Base model `./nowhere` is not there. It can be"
        " `smollm2-135m-instruct`, a folder on this machine, or a hub name like `org/name`.",
        "`http.port='http'` is not a whole number.",
        "`trainer.dtpye` is not a setting; did you mean `trainer.dtype`?"
        " `placement.num_threads=0` is not at least 1.",
        "`telemetry.log_level='loud'` is not one of 'debug', 'info', 'warning' or 'error'.",
        "`prot` is not a setting; did you mean `http.port`?"
        " `port` is not a setting; did you mean `http.port`?"
        " `telemetry_config` is not a setting of this service; here it is `telemetry`.",
        "`persistence_config` is not a setting of this service; here it is `store`.",
        "`use_megatron` is not a setting of this service; here it is `trainer`.",
    ]


def test_settings_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    both = {"max_active_adapters": 8, "max_adapters": 4}
    with pytest.raises(InvalidConfigError) as caught:
        ServiceConfig.load(trainer=both)
    assert caught.value.message == (
        "`trainer.max_active_adapters=8` is more than `max_adapters=4`."
    )
    # Each by itself is fine; what is said for all and what is said of one are not.
    small = {"small": {"trainer": {"max_adapters": 16}}}
    ServiceConfig.load(trainer={"max_active_adapters": 8}, base_models=small)
    with pytest.raises(InvalidConfigError, match=r"`base_models.small.trainer.max_active_adapt"):
        ServiceConfig.load(trainer={"max_active_adapters": 32}, base_models=small)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http: {port: 1}\nhttp: {port: 2}\n", "`http` is there twice, line 2, column 1"),
        ("http: [\n", "is not YAML: .*line 2"),
        ("- http\n", "is not a mapping of settings"),
        ("a: !!python/object:os.system {}\n", "is not YAML: could not determine a constructor"),
    ],
)
def test_a_file_that_is_none_is_named_with_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidConfigError, match=said):
        ServiceConfig.load(_file(tmp_path, text))
    with pytest.raises(NotFoundError, match="does not exist"):
        ServiceConfig.load(tmp_path / "none.yaml")


def test_a_variable_that_nothing_reads_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_SAMPLER_ENGINE", "vllm")
    monkeypatch.setenv("TWINKLE_PORT", "1")
    with pytest.raises(InvalidConfigError) as caught:
        ServiceConfig.load()
    assert "`TWINKLE_SAMPLER_ENGINE` is not read; write `TWINKLE_SAMPLER__ENGINE`." in str(
        caught.value
    )
    assert "`TWINKLE_PORT` is not read; write `TWINKLE_HTTP__PORT`." in str(caught.value)


def test_another_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINKLE_HTTP__PORT", "8")
    config = ServiceConfig.load(
        http={"port": 9},
        placement={"num_threads": 3},
        trainer={"dtype": "bfloat16", "token_budget": 512, "host_memory_for_adapters": 0},
        base_models={"small": {"sampler": {"replicas": 2}}},
        supported_models=("a", {"model_name": "b", "template_init_model_id": "a", "note": 1}),
        limits={"adapters": 4, "tokens_per_minute": 9000},
    )
    environment = config.as_environment({"TWINKLE_HTTP__PORT": "7", "PATH": "/bin"})
    assert environment["PATH"] == "/bin"
    monkeypatch.delenv("TWINKLE_HTTP__PORT")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ServiceConfig.load() == config


def test_limits_are_none_unless_set_each_by_a_variable_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any(ServiceConfig.load().limits.model_dump().values())
    assert all(
        "0 is no limit" in (one.description or "") for one in UserLimits.model_fields.values()
    )
    monkeypatch.setenv("TWINKLE_LIMITS__TOKENS_PER_MINUTE", "9000")
    monkeypatch.setenv("TWINKLE_LIMITS__ADAPTERS", "4")
    assert ServiceConfig.load().limits == Limits(tokens_per_minute=9000, adapters=4)
    monkeypatch.setenv("TWINKLE_LIMITS__GROUPS", '{"class": {"adapters": 2}}')
    said = ServiceConfig.load()
    assert said.limits.of("hub:anna", ["class"]) == UserLimits(adapters=2, tokens_per_minute=9000)
    text = write_config(said, "yaml")
    for name in ("TOKENS_PER_MINUTE", "GROUPS"):
        monkeypatch.delenv(f"TWINKLE_LIMITS__{name}")
    read = ServiceConfig.load(_file(tmp_path, text))
    assert read.limits.of("hub:anna", ["class"]).tokens_per_minute == 9000, "none is made up"
    monkeypatch.setenv("TWINKLE_LIMITS__ADAPTERS", "-1")
    monkeypatch.setenv("TWINKLE_LIMITS__TOKENS", "1")
    with pytest.raises(InvalidConfigError) as caught:
        ServiceConfig.load()
    assert caught.value.message == (
        "`limits.adapters='-1'` is not at least 0. `limits.tokens` is not a setting;"
        " did you mean `limits.queued_tokens`?"
    )


def test_a_base_model_has_its_own_settings_where_it_says_them() -> None:
    config = ServiceConfig.load(
        trainer={"token_budget": 512, "max_adapters": 100},
        sampler={"cache_bytes": 2**24},
        base_models={"small": {"trainer": {"token_budget": 64}, "sampler": {"replicas": 2}}},
    )
    assert config.trainer_settings("small", "float32") == TrainerSettings(
        token_budget=64, max_adapters=100
    )
    assert config.trainer_settings("other", "float32").token_budget == 512
    small = config.sampler_of("small")
    assert (small.replicas, config.sampler_of("other").replicas) == (2, 1)
    assert small.settings("bfloat16", 0.5) == SamplerSettings(
        dtype="bfloat16", cache_bytes=2**24, gpu_share=0.5
    )


def test_actors_have_the_same_defaults_without_a_service() -> None:
    assert ServiceConfig.load().trainer_settings("any", "float32") == TrainerSettings()
    assert ServiceConfig.load().sampler.settings("float32", 1.0) == SamplerSettings()


def test_an_engine_that_is_not_installed_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InvalidConfigError, match=r"sampler\.engine.*pip install 'twinkle-jupyter"):
        ServiceConfig.load(sampler={"engine": "vllm"})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    assert ServiceConfig.load(sampler={"engine": "vllm"}).sampler.engine == "vllm"


def test_what_is_printed_is_read_again_as_the_same(tmp_path: Path) -> None:
    config = ServiceConfig.load(
        http={"port": 9}, base_models={"small": {"trainer": {"dtype": "float32"}}}
    )
    for form in ("yaml", "json"):
        text = write_config(config, form)
        assert ServiceConfig.load(_file(tmp_path, text)) == config
    assert json.loads(write_config(config, "json")) == yaml.safe_load(write_config(config, "yaml"))


def test_the_example_has_every_setting_and_loads_as_the_defaults(tmp_path: Path) -> None:
    example = write_example()
    assert ServiceConfig.load(_file(tmp_path, example)) == ServiceConfig.load()
    for setting in list_settings(ServiceConfig):
        assert f"{setting.path[-1]}:" in example
        assert setting.field.description, setting.dotted
    # The entry that is commented out is one.
    entry = example[example.index("#  small:") :].split("\n\n")[0].replace("\n#", "\n")[1:]
    loaded = ServiceConfig.load(_file(tmp_path, f"base_models:\n{entry}\n"))
    assert set(loaded.base_models["small"].model_fields_set) == {*("source", "trainer", "sampler")}


def test_the_documented_file_is_the_generated_one() -> None:
    page = Path("docs/reference/service.yaml").read_text(encoding="utf-8")
    assert page == write_example(), "twinkle print-config --example > docs/reference/service.yaml"


def test_what_stored_state_depends_on_is_told_with_both_values(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    old = ServiceConfig.load(base_models={"small": {"source": str(model)}})
    stored = make_signature(old)
    assert find_drift(old, stored) == []
    # What may change: where it listens, budgets, what a base model was never said of.
    moved = ServiceConfig.load(
        http={"port": 4},
        base_models={"small": {"source": str(model)}, "other": {"sampler": {"replicas": 2}}},
    )
    assert find_drift(moved, stored) == []
    new = ServiceConfig.load(trainer={"dtype": "float32"})
    dtype = "trainer.dtype: stored auto, now float32"
    assert find_drift(new, stored) == [dtype]  # nobody has trained `small`
    new.trainer_folder("small").mkdir(parents=True)
    source = f"base_models.small.source: stored {model}, now not set"
    assert find_drift(new, stored) == [source, dtype]
