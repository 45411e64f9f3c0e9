"""A JupyterHub with one training service for all its users, on one machine.

    pip install 'twinkle-jupyter[hub]' && npm install -g configurable-http-proxy
    jupyterhub -f jupyterhub_config.py

It works as it is: log in as `anna` with the password `twinkle`, or as the admin `admin`. For people
who are not playing, change what is marked DEMO. What is meant by each line, and what differs with
containers and on Kubernetes, is in docs/operators/jupyterhub.md.
"""

import os
import sys

c = get_config()  # noqa: F821 - JupyterHub gives it

# Who may log in. DEMO: everybody with this password, under any name; without these two lines the
# users of the machine log in (PAM). Any other authenticator will do.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "twinkle"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"admin"}

# Their servers. DEMO: all as the user who started the Hub, in folders below /tmp. Without this line
# each runs as the user of the machine of that name, who must exist.
c.JupyterHub.spawner_class = "simple"
if os.getuid() == 0:
    c.Spawner.args = ["--allow-root"]

# The service: started and kept running by the Hub, below /services/twinkle/ of its address.
address = "http://127.0.0.1:10101"
c.JupyterHub.services = [
    {
        "name": "twinkle",
        "display": False,  # it has no pages: people see it in JupyterLab's sidebar
        "url": address,
        "command": [sys.executable, "-m", "twinkle_jupyter.cli", "serve"],
        # Any setting of the service; TWINKLE_CONFIG names a file of them.
        "environment": {
            name: value for name, value in os.environ.items() if name.startswith("TWINKLE_")
        },
    }
]

# Where a user's server and its kernels find it: all the set-up there is on their side.
c.Spawner.environment = {"TWINKLE_HUB_SERVICE_URL": address}

# Who may do what. A server's own token has only what the role `server` has, and its user, too.
c.JupyterHub.custom_scopes = {
    "custom:twinkle:use": {"description": "Train and sample with the training service"},
    "custom:twinkle:admin": {"description": "Administer the training service"},
}
c.JupyterHub.load_roles = [
    # Everybody. For a class alone: another name, and "groups": ["class"].
    {"name": "user", "scopes": ["self", "custom:twinkle:use"]},
    {
        "name": "twinkle-admin",
        "users": sorted(c.Authenticator.admin_users),
        "scopes": ["custom:twinkle:use", "custom:twinkle:admin"],
    },
    {
        "name": "server",
        "scopes": [
            "users:activity!user",
            "access:servers!server",
            "custom:twinkle:use",
            "custom:twinkle:admin",
        ],
    },
    # What the service asks the Hub beside whose token it was given: who still is a user, of which
    # groups.
    {
        "name": "twinkle-service",
        "services": ["twinkle"],
        "scopes": ["list:users", "read:users:name", "read:users:groups"],
    },
]

# Culling is safe: runs live in the service. With `pip install jupyterhub-idle-culler`:
#
# c.JupyterHub.services.append({
#     "name": "idle-culler",
#     "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
# })
# c.JupyterHub.load_roles.append({
#     "name": "idle-culler",
#     "services": ["idle-culler"],
#     "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
# })
