"""The compute side as one process: it starts Ray, places the actors and ends with its service.

It is a process of its own so that the HTTP service can die and come back without a step lost. Ray's
processes end with it, and it ends when no service has held the lease for a while.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from twinkle_jupyter.config.service_config import ServiceConfig
from twinkle_jupyter.launch.lease import Lease
from twinkle_jupyter.launch.ray_head import read_token, set_ray_environment
from twinkle_jupyter.telemetry import log_to_file

_LOGGER = logging.getLogger(__name__)


def main() -> int:
    """Run the cluster process; its settings come from the environment."""
    config = ServiceConfig.load()
    log_to_file(config.home / "cluster.log", config.telemetry.log_level)
    lease = Lease.take(config.cluster_lock_path)
    if lease is None:
        _LOGGER.warning("another process runs the cluster of %s", config.home)
        return 0
    config.cluster_digest_path.write_text(config.cluster_digest, encoding="ascii")
    token = read_token(config.home / "ray.token")
    set_ray_environment(token)
    # Ray reads its environment when it is imported, not when it is started.
    from twinkle_jupyter.launch.cluster_life import run_cluster

    try:
        asyncio.run(run_cluster(config, token))
    except BaseException:
        _LOGGER.exception("the cluster process ended by an error")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
