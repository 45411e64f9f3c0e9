"""What people do in the sidebar, wherever JupyterLab is."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.journeys.conftest import wait_until

SIDEBAR = "#twinkle-sidebar"
#: The newest is the first.
RUN = f"{SIDEBAR} [data-run]"


def show_sidebar(page: Page) -> None:
    page.wait_for_selector(".jp-SideBar li[data-id='twinkle-sidebar']", timeout=60_000)
    if not page.locator(SIDEBAR).is_visible():
        page.click(".jp-SideBar li[data-id='twinkle-sidebar']")
    page.wait_for_selector(f"{SIDEBAR} .jp-twinkle-side-header[data-link='live']", timeout=60_000)


def ask_to_train_on(page: Page, file: str, steps: int) -> None:
    """Open the form by the file's menu, and say how many steps."""
    page.click(".jp-SideBar li[data-id='filebrowser']")
    page.click(f".jp-DirListing-item >> text={file}", button="right")
    page.click(".lm-Menu li[data-command='twinkle:train-on-file']")
    page.fill(".jp-Dialog input[name='steps']", str(steps))


def send_form(page: Page) -> None:
    """Train as the form says; the sidebar is there again."""
    page.click(".jp-Dialog .jp-mod-accept")
    page.wait_for_selector("[data-twinkle-run][data-state='running']", timeout=60_000)
    show_sidebar(page)


def check_row(page: Page, name: str) -> None:
    """It is there, its curve moves, and its tab is one without a kernel."""
    page.wait_for_selector(f"{RUN}[data-state='running']", timeout=60_000)
    assert page.inner_text(f"{RUN} .jp-twinkle-side-name") == name
    curve = f"{RUN} .jp-twinkle-side-spark path"
    page.wait_for_selector(f"{curve}[d^='M']", state="attached", timeout=60_000)
    first, step = page.get_attribute(curve, "d"), _step(page)
    wait_until(lambda: page.get_attribute(curve, "d") != first, 10, "the curve moving")
    wait_until(lambda: _step(page) > step, 10, "steps in the sidebar")
    page.click("li.lm-TabBar-tab[data-id^='twinkle-run-'] .lm-TabBar-tabCloseIcon")
    page.wait_for_selector("[data-twinkle-run]", state="detached")
    page.click(f"{RUN} [data-action='open']")
    page.wait_for_selector("[data-twinkle-run][data-connection='live']")
    page.click(f"{RUN} [data-action='pause']")
    page.wait_for_selector(f"{RUN}[data-state='paused']", timeout=60_000)
    page.wait_for_selector("[data-twinkle-run][data-state='paused']")


def _step(page: Page) -> int:
    return int(page.get_attribute(RUN, "data-step") or 0)


def fork_by_keyboard(page: Page) -> None:
    """By keyboard alone: more, fork, the next name that is free."""
    page.focus(f"{RUN} [data-action='more']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lm-Menu li[data-command='twinkle:fork-run']")
    active = page.locator(".lm-Menu li.lm-mod-active[data-command='twinkle:fork-run']")
    for _ in range(8):
        if active.count():
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".jp-Dialog input")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{RUN} >> nth=1", timeout=60_000)
    page.wait_for_selector(f"{RUN}[data-state='running']", timeout=60_000)
    tabs = page.locator("li.lm-TabBar-tab[data-id^='twinkle-run-']")
    wait_until(lambda: tabs.count() == 2, 10, "the fork's own tab")
