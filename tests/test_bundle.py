"""The committed front end was built from the sources beside it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "labextension" / "check_bundle.py"


@pytest.fixture(scope="module")
def check_bundle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_bundle", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name in ("package.json", "tsconfig.json", "yarn.lock"):
        shutil.copy(SCRIPT.parent / name, tmp_path)
    for name in ("src", "style", "schema"):
        shutil.copytree(SCRIPT.parent / name, tmp_path / name)
    return tmp_path


def test_the_committed_bundle_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_source_makes_the_bundle_old(check_bundle: ModuleType, sources: Path) -> None:
    (sources / "src" / "index.ts").write_text("export default [];\n")
    problem = check_bundle.find_problem(sources)
    assert problem.startswith("The committed bundle is older than labextension/src: build it with")


def test_a_changed_unit_test_does_not_make_the_bundle_old(
    check_bundle: ModuleType, sources: Path
) -> None:
    (sources / "src" / "__tests__" / "new.test.ts").write_text("")
    assert check_bundle.find_problem(sources) == ""


def test_a_bundle_without_a_record_is_refused(check_bundle: ModuleType, tmp_path: Path) -> None:
    problem = check_bundle.find_problem(record=tmp_path / "source_hash.json")
    assert problem.startswith("The bundle has no source_hash.json: build it with")


def test_the_bundle_asks_nothing_of_other_hosts_and_has_no_source_map() -> None:
    bundle = ROOT / "twinkle_jupyter" / "labextension"
    assert [path.name for path in bundle.rglob("*.map")] == []
    for name in ("panel_widget.js", "asking_widget.js"):
        widget = (ROOT / "twinkle_jupyter" / "notebook" / name).read_text()
        assert len(widget) < 64_000  # it goes to the page with every panel
        assert "https://" not in widget
