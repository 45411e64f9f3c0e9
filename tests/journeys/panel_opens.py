"""Opens and closes outputs of a notebook in JupyterLab, and counts what is left of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import psutil
from playwright.sync_api import Page, WebSocket

from tests.client.live_service import LiveService
from tests.journeys.conftest import Lab

#: Displays each bundle in the notebook's first cell until its panel is there, and clears it again.
_OPEN = """
async ({ bundles, count, selector }) => {
  const outputs = () => window.jupyterapp.shell.currentWidget.content.widgets[0].outputArea.model;
  const panels = () => document.querySelectorAll(selector);
  const until = async (what, check) => {
    const end = performance.now() + 10000;
    while (!check()) {
      if (performance.now() > end) throw new Error(`${what}: ${panels()[0]?.innerText}`);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  };
  for (let i = 0; i < count; i++) {
    outputs().clear();
    outputs().add({ output_type: 'display_data', data: bundles[i % bundles.length], metadata: {} });
    await until(`no panel ${i}`, () => panels().length === 1);
    // Some live on until they are connected, others end on the way there.
    const isPanel = selector.includes('region');
    const way = () => panels()[0]?.dataset.connection ?? (isPanel ? 'waiting' : '');
    if (i % 2 === 0) await until(`not connected ${i}`, () => way() !== 'waiting');
    outputs().clear();
    await until(`still there ${i}`, () => panels().length === 0);
  }
}
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What is held at one moment because of panels."""

    page_sockets: int
    page_nodes: int
    page_listeners: int
    server_threads: int
    server_connections: int
    service_tasks: int

    def growth_since(self, before: Held) -> dict[str, int]:
        """Return how much more there is of each."""
        then = asdict(before)
        return {name: now - then[name] for name, now in asdict(self).items()}


class PanelOpens:
    """Opens panels in a page of a lab that was started with `--expose-app-in-browser`."""

    def __init__(self, page: Page, lab: Lab, service: LiveService) -> None:
        self._page, self._lab, self._service = page, lab, service
        self._sockets: set[WebSocket] = set()
        self._browser = page.context.new_cdp_session(page)
        page.on("websocket", self._note)

    def __call__(self, bundles: Sequence[Mapping[str, object]], count: int) -> None:
        """Open and close so many, the bundles in turn."""
        self._open(bundles, count, ".jp-OutputArea [role=region][class*=jp-twinkle]")

    def texts(self, count: int) -> None:
        """Open and close so many outputs of plain text: what JupyterLab itself leaves."""
        self._open([{"text/plain": "nothing"}], count, ".jp-OutputArea-output")

    def _open(self, bundles: Sequence[Mapping[str, object]], count: int, selector: str) -> None:
        asked = {"bundles": list(bundles), "count": count, "selector": selector}
        self._page.evaluate(_OPEN, asked)

    def held(self) -> Held:
        """Count once things have come to rest."""
        time.sleep(1.0)
        for _ in range(3):
            self._browser.send("HeapProfiler.collectGarbage")
        counters = self._browser.send("Memory.getDOMCounters")
        server = psutil.Process(self._lab.process.pid)
        return Held(
            page_sockets=len(self._sockets),
            page_nodes=int(counters["nodes"]),
            page_listeners=int(counters["jsEventListeners"]),
            server_threads=server.num_threads(),
            server_connections=len(server.net_connections()),
            service_tasks=self._service.call(_num_tasks()),
        )

    def _note(self, socket: WebSocket) -> None:
        if "/twinkle-jupyter/" in socket.url:
            self._sockets.add(socket)
            socket.on("close", lambda _: self._sockets.discard(socket))


async def _num_tasks() -> int:
    return len(asyncio.all_tasks())
