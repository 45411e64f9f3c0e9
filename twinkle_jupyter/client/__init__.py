"""The service as a program sees it: calls, event streams, discovery."""
