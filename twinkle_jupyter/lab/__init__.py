"""Jupyter-server side: the extension, its handlers, the service as a child process."""
