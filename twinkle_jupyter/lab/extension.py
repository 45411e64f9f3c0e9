"""The Jupyter server extension: its settings, its routes, its beginning and its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, List, Unicode, default

from twinkle_jupyter.config.home import service_log_path
from twinkle_jupyter.lab.handlers import (
    ProxyHandler,
    ServiceHandler,
    ServiceStartHandler,
    ServiceStopHandler,
)
from twinkle_jupyter.lab.overview_socket import OverviewSocket
from twinkle_jupyter.lab.overview_watch import OverviewWatch
from twinkle_jupyter.lab.run_socket import RunEventsSocket
from twinkle_jupyter.lab.service_process import ServiceProcess
from twinkle_jupyter.lab.train_handler import TrainHandler
from twinkle_jupyter.lab.upstream import Upstream

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


class TwinkleExtension(ExtensionApp):
    """Finds or starts the training service and brings it to the browser."""

    name = "twinkle_jupyter"
    extension_url = "/lab"
    load_other_extensions = True

    autostart = Bool(
        default_value=False, help="Start the training service together with the Jupyter server."
    ).tag(config=True)
    service_url = Unicode(
        "", help="A training service elsewhere; nothing is started here then."
    ).tag(config=True)
    service_api_key = Unicode("", help="API key for the service at `service_url`.").tag(config=True)
    service_command = List(
        Unicode(), help="What starts a service in the foreground; it ends when its stdin does."
    ).tag(config=True)
    sidebar = Bool(
        default_value=True, help="Show the sidebar with runs, adapters and the service."
    ).tag(config=True)
    service_log = Unicode("", help="Where the service's output goes.").tag(config=True)

    @default("service_command")
    def _default_service_command(self) -> list[str]:
        return [sys.executable, "-m", "twinkle_jupyter.cli", "serve", "--until-stdin-closes"]

    @default("service_log")
    def _default_service_log(self) -> str:
        return str(service_log_path())

    def initialize_settings(self) -> None:
        """Make the process keeper and the way to the service."""
        upstream = Upstream(self.service_url, self.service_api_key)
        process = ServiceProcess(self.service_command, Path(self.service_log), upstream)
        watch = OverviewWatch(upstream, process)
        self.settings.update(
            {
                "twinkle_upstream": upstream,
                "twinkle_process": process,
                "twinkle_overview": watch,
            }
        )
        # JupyterLab hands this to the page.
        assert self.serverapp is not None  # noqa: S101 - settings are a server's
        page = self.serverapp.web_app.settings.setdefault("page_config_data", {})
        page["twinkleSidebar"] = "true" if self.sidebar else "false"
        page["twinkleFolder"] = str(Path(self.serverapp.root_dir).absolute())

    def initialize_handlers(self) -> None:
        """Add the routes; `ExtensionApp` puts the base URL before each."""
        self.handlers.extend(
            [
                (r"/twinkle-jupyter/service", ServiceHandler),
                (r"/twinkle-jupyter/service/start", ServiceStartHandler),
                (r"/twinkle-jupyter/service/stop", ServiceStopHandler),
                (r"/twinkle-jupyter/train", TrainHandler),
                (r"/twinkle-jupyter/overview", OverviewSocket),
                (r"/twinkle-jupyter/api/(.*)", ProxyHandler),
                (r"/twinkle-jupyter/runs/([A-Za-z0-9._-]+)/events", RunEventsSocket),
            ]
        )

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:  # noqa: ARG002 - the hook's signature
        """Start the service too, where the settings say so."""
        if self.autostart:
            self.settings["twinkle_process"].start()

    async def stop_extension(self) -> None:
        """End the service that this server started, and every task."""
        await self.settings["twinkle_upstream"].end_tasks()
        await self.settings["twinkle_process"].stop()
        await self.settings["twinkle_upstream"].close()
