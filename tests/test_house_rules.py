"""The rules of the house that no linter checks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from twinkle_jupyter.config.run_config import RunConfig

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "twinkle_jupyter"
MODULES = sorted(
    path
    for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks")
    for path in folder.rglob("*.py")
)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EMPTY_NAMES = {
    *("base", "common", "core", "data", "helper", "helpers", "impl", "info", "manager", "managers"),
    *("misc", "mixins", "shared", "stuff", "tools", "util", "utils"),
}
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
HEAVY = {"torch", "ray", "transformers", "peft", "vllm", "pandas"}
#: What starts in a kernel, in the Jupyter server, in the service and in a program.
LIGHT_MODULES = [
    "twinkle_jupyter",
    "twinkle_jupyter.notebook.magics",
    "twinkle_jupyter.notebook.functions",
    "twinkle_jupyter.lab.extension",
    "twinkle_jupyter.service.app",
    "twinkle_jupyter.client.client",
    # Ray's workers import it while the base model's folder is still being looked for.
    "twinkle_jupyter.runtime.train_loop",
]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_is_introduced_well_named_and_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)

    assert ast.get_docstring(tree), "say in one line what the module is for"
    assert not EMPTY_NAMES & {path.stem, path.parent.name}, "say what it holds"
    assert len(source.splitlines()) <= MAX_FILE_LINES, "one idea a file"
    long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == [], "one thought a function"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_error_of_any_kind_is_passed_over(path: Path) -> None:
    passed_over = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and all(isinstance(line, ast.Pass) for line in node.body)
    ]
    assert passed_over == []


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_importing_it_loads_no_compute(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded & HEAVY == set()


def test_every_setting_of_a_run_says_what_it_is() -> None:
    assert [name for name, field in RunConfig.model_fields.items() if not field.description] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- test command -->\n```sh\n(.+?)\n```", readme, flags=re.DOTALL)
    assert block is not None
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    found = re.search(r"^command=.*$", script, flags=re.MULTILINE)
    assert found is not None

    extracted = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'{found[0]}; printf %s "$command"'],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip

    assert extracted.stdout == block[1]
    assert 'bash -euo pipefail -c "$command"' in script


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_a_link_in_a_document_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
