"""Runs: clients that live on the server and outlive the kernel."""
