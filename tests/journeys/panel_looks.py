"""How panels look: light, dark, narrow; contrast and what else axe finds; nothing cut off."""

from __future__ import annotations

from collections.abc import Sequence

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

from tests.journeys.browser import choose_theme

AXE = """
async selector => {
  const found = await axe.run(selector, { resultTypes: ['violations'] });
  return found.violations
    .filter(one => one.impact === 'serious' || one.impact === 'critical')
    .map(one => [one.id, ...one.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary)]);
}
"""


def check_looks(page: Page, panels: Sequence[str]) -> None:
    """Light, dark and narrow: axe finds nothing serious, and nothing is cut off."""
    page.add_script_tag(path=AXE_FILE_PATH)
    faults = {}
    for look in ("light", "dark", "narrow"):
        if look == "dark":
            choose_theme(page, "JupyterLab Dark")
            page.wait_for_timeout(300)
        if look == "narrow":
            page.set_viewport_size({"width": 560, "height": 900})
            page.wait_for_timeout(300)
        for panel in panels:
            show(page, panel)
            faults[look, panel] = page.evaluate(AXE, panel)
            wide = page.evaluate(
                "s => { const e = document.querySelector(s);"
                " return e.scrollWidth - e.clientWidth; }",
                panel,
            )
            assert wide <= 1, (look, panel, wide)
    assert {where: found for where, found in faults.items() if found} == {}


def show(page: Page, panel: str) -> None:
    """Bring a panel into view."""
    page.locator(panel).first.scroll_into_view_if_needed()
    page.wait_for_timeout(150)
