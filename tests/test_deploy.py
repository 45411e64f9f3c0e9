"""What is in `deploy/`: files for other programs, checked by those programs where they are here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate
import pytest
import yaml

from twinkle_jupyter.client.discovery import HUB_VARIABLE
from twinkle_jupyter.config.hub_section import HubSection
from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.service.auth import OPEN_PATHS

DEPLOY = Path(__file__).parents[1] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
LINTER = str(Path(sys.executable).with_name("hadolint"))
#: A folder with `rayclusters.yaml`, KubeRay's CRD, and `z2jh.yaml`, the chart's values.schema.yaml.
SCHEMAS = os.environ.get("TWINKLE_SCHEMAS", "")

Mapping = dict[str, Any]


def _documents(name: str) -> list[Mapping]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text()))


def _pods() -> Iterator[tuple[str, Mapping, Mapping]]:
    """Return the pods of both ways to have one: its labels and its spec."""
    (stateful,) = [one for one in _documents("twinkle.yaml") if one["kind"] == "StatefulSet"]
    (cluster,) = _documents("raycluster.yaml")
    for name, template in (
        ("StatefulSet", stateful["spec"]["template"]),
        ("RayCluster", cluster["spec"]["headGroupSpec"]["template"]),
    ):
        yield name, template["metadata"]["labels"], template["spec"]


def test_the_image_is_built_by_the_rules() -> None:
    path = DEPLOY / "docker" / "Dockerfile"
    done = subprocess.run([LINTER, str(path)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    text = re.sub(r"\\\n\s*", "", path.read_text())
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    last = [step for step, _ in steps].index("USER")
    assert steps[last][1] == "1000:1000"
    assert "RUN" not in [step for step, _ in steps[last:]]
    (settings,) = [words for step, words in steps if step == "ENV"]
    _check_settings(dict(pair.split("=") for pair in settings.split()))


def test_the_linter_of_the_image_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM python\nRUN pip install torch\n")
    done = subprocess.run([LINTER, str(wrong)], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert {"DL3006", "DL3013", "DL3042"} <= set(re.findall(r"DL\d+", done.stdout))


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "twinkle.service").read_text()
    command = "ExecStart=/opt/twinkle/bin/twinkle serve\n"
    assert command in text
    for line in ("KillMode=mixed", "TimeoutStopSec=60", "StateDirectoryMode=0700", "UMask=0077"):
        assert f"{line}\n" in text
    if analyze := shutil.which("systemd-analyze"):
        unit = tmp_path / "twinkle.service"
        unit.write_text(text.replace(command, "ExecStart=/bin/true\n"))
        command = f"{analyze} verify {unit}"
        done = subprocess.run(command.split(), check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_pods_volumes_services_and_policies_name_each_other() -> None:
    by_kind = {one["kind"]: one for one in _documents("twinkle.yaml")}
    (port,) = by_kind["Service"]["spec"]["ports"]
    for name, labels, pod in _pods():
        (container,) = pod["containers"]
        assert by_kind["Service"]["spec"]["selector"].items() <= labels.items(), name
        selected = by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
        assert selected.items() <= labels.items()
        assert container["ports"] == [{"name": port["targetPort"], "containerPort": port["port"]}]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
        claim = volumes["home"]["persistentVolumeClaim"]["claimName"]
        assert claim == by_kind["PersistentVolumeClaim"]["metadata"]["name"]
        for probe in ("readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["path"] in OPEN_PATHS
        settings = {one["name"]: one.get("value", "x") for one in container["env"]}
        _check_settings(settings)
        # Else Kubernetes would say where the Service is, as `TWINKLE_PORT`.
        assert not pod["enableServiceLinks"]
        assert pod["shareProcessNamespace"], "somebody has to clear away what Ray leaves"
        assert settings["TWINKLE_HTTP__PREFIX"] == "/services/twinkle/"
    assert by_kind["StatefulSet"]["spec"]["replicas"] == 1


@pytest.mark.parametrize("release", ["1.28", kubernetes_validate.latest_version()])
def test_the_schemas_of_kubernetes_take_them(release: str) -> None:
    # The pod of the cluster, too: its own schema, KubeRay's, is not among these.
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "twinkle"}, "spec": pod}
        for _, _, pod in _pods()
    ]
    for one in (*_documents("twinkle.yaml"), *pods):
        kubernetes_validate.validate(one, release, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**one, "specs": {}}, release, strict=True)


def test_the_hub_of_the_values_knows_the_service_of_the_pods() -> None:
    (values,) = _documents("jupyterhub-values.yaml")
    hub, scopes = values["hub"], HubSection()
    ours = {scopes.use_scope, scopes.admin_scope}
    assert set(hub["config"]["JupyterHub"]["custom_scopes"]) == ours
    assert ours <= set(hub["loadRoles"]["server"]["scopes"])
    (name,) = hub["services"]
    assert hub["loadRoles"]["twinkle-service"]["services"] == [name]
    assert values["singleuser"]["extraEnv"] == {HUB_VARIABLE: hub["services"][name]["url"]}
    for _, labels, pod in _pods():
        secret = next(one["valueFrom"] for one in pod["containers"][0]["env"] if "valueFrom" in one)
        assert secret["secretKeyRef"]["key"] == f"hub.services.{name}.apiToken"
        (rule,) = values["singleuser"]["networkPolicy"]["egress"]
        reached = rule["to"][0]["podSelector"]["matchLabels"]
        assert reached.items() <= labels.items()
        assert labels["hub.jupyter.org/network-access-hub"] == "true"


@pytest.mark.skipif(not SCHEMAS, reason="TWINKLE_SCHEMAS names a folder of other projects' schemas")
def test_the_schemas_of_kuberay_and_of_the_chart_take_them() -> None:
    crd = yaml.safe_load(Path(SCHEMAS, "rayclusters.yaml").read_text())
    (schema,) = [one["schema"] for one in crd["spec"]["versions"] if one["name"] == "v1"]
    _close(schema["openAPIV3Schema"])
    (cluster,) = _documents("raycluster.yaml")
    jsonschema.Draft202012Validator(schema["openAPIV3Schema"]).validate(cluster)
    chart = yaml.safe_load(Path(SCHEMAS, "z2jh.yaml").read_text())
    (values,) = _documents("jupyterhub-values.yaml")
    found = jsonschema.Draft7Validator(chart).iter_errors(values)
    # What is required is in the chart's own values.
    assert [error.message for error in found if error.validator != "required"] == []


def _close(schema: object) -> None:
    """Have unknown fields be mistakes, which a cluster would drop without a word."""
    for value in schema.values() if isinstance(schema, dict) else ():
        _close(value)
    if not isinstance(schema, dict):
        return
    if schema.pop("x-kubernetes-int-or-string", False):
        schema.pop("type", None)
        schema["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    is_open = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if "properties" in schema and schema.get("type") == "object" and not is_open:
        schema.setdefault("additionalProperties", False)
    if "apiVersion" in schema.get("properties", {}):
        schema["properties"]["metadata"] = {"type": "object"}


def _check_settings(variables: dict[str, str]) -> None:
    """See that every variable of ours is a setting's."""
    known = cast("dict[str, Any]", ServiceConfig.model_fields)
    for variable in variables:
        section, _, name = variable.removeprefix("TWINKLE_").lower().partition("__")
        assert variable.startswith("TWINKLE_"), variable
        assert section in known, variable
        assert not name or name in known[section].annotation.model_fields, variable
