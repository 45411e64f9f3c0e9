"""Every tutorial but the first, run headless from nothing to its end, and what each must show.

CI runs the quick ones; `make notebooks` runs all.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.contracts.client_environment import make_client_environment
from tests.journeys.conftest import processes_of, wait_until
from twinkle_jupyter.cli.main import main

pytestmark = [
    pytest.mark.ray,
    pytest.mark.model,
    pytest.mark.timeout(600),
    # nbclient's own sockets, closed by the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
#: By tutorial: what stands in its outputs at the end.
SHOWN = {
    "02_templates_and_masks": (
        "between ⟦ ⟧",
        "role 'narrator' is not one of",
        "no token is learned",
    ),
    "03_sweep_in_one_batch": ("tone-lr3e-3", "tone-lr2e-3", "Twinkle"),
    "04_steer_fork_rewind": ("goes on from step 8 of slow", "Runs by descent", "└─"),
    "05_your_own_loop": ("step 12", "missing", "True"),
    "06_preferences_from_thumbs": (
        "preference layout, for `--loss dpo`",
        "reward margin",
        "with the base model",
        "A chat with base, taste",
    ),
    "07_rewards_for_arithmetic": ("step 8  mean reward", "after "),
    "08_shared_service": ("computed in", "finished 15", "ben has 0 runs"),
}
#: The rest takes minutes together.
QUICK = ("02_templates_and_masks",)
#: Of the tutorials that use somebody else's client.
TINKER = "tinker==0.38.0"
MAX_BYTES = 300_000


def _text(notebook: nbformat.NotebookNode) -> str:
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    return json.dumps([one.get("data", one.get("text", "")) for one in outputs], ensure_ascii=False)


def _kernel(python: Path) -> AsyncKernelManager:
    manager = AsyncKernelManager(kernel_name="python3")
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv[0] = str(python)
    return manager


async def _end(client: NotebookClient, manager: AsyncKernelManager) -> None:
    """End a kernel that nbclient was given, and its channels, which it leaves as they are."""
    if client.kc is not None:
        client.kc.stop_channels()
    await manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def tinker_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that all tutorials with this client share."""
    return make_client_environment(tmp_path_factory.mktemp("client") / "tinker", TINKER)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.usefixtures("base_model_folder")
def test_a_tutorial_shows_what_it_tells(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if name not in QUICK and not os.environ.get("TWINKLE_ALL_NOTEBOOKS"):
        pytest.skip("`make notebooks` runs it")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are stripped in git"
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    needs_client = any("import tinker" in cell.source for cell in notebook.cells)
    options = {}
    if needs_client:
        options["km"] = _kernel(request.getfixturevalue("tinker_python"))
    began = time.monotonic()
    client = NotebookClient(
        notebook,
        timeout=180,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path)}},
        **options,
    )
    try:
        client.execute()
    finally:
        if "km" in options:
            asyncio.run(_end(client, options["km"]))
        main(["stop"])
    said = _text(notebook)
    assert [words for words in SHOWN[name] if words not in said] == []
    assert len(nbformat.writes(notebook)) < MAX_BYTES
    assert time.monotonic() - began < 180
    wait_until(lambda: not processes_of(os.environ["TWINKLE_HOME"]), 15, "ending the service")
